#include "store/search.h"

#include <string.h>
#include <zlib.h>

void search_prepare(struct search *search)
{
    uint8_t bytes[RECORD_SUMMED_BYTES] = {0};
    search->sum_of_zeros = (uint32_t)crc32(0, bytes, sizeof(bytes));
    for (size_t index = 0; index < RECORD_SUMMED_BYTES; index++) {
        for (unsigned value = 0; value < 256; value++) {
            bytes[index] = (uint8_t)value;
            search->table[index][value] =
                (uint32_t)crc32(0, bytes, sizeof(bytes)) ^ search->sum_of_zeros;
        }
        bytes[index] = 0;
    }
}

bool search_header(const struct search *search, const uint8_t bytes[RECORD_HEADER_BYTES],
                   struct record_header *header)
{
    uint32_t sum = search->sum_of_zeros;
    for (size_t index = 0; index < RECORD_SUMMED_BYTES; index++)
        sum ^= search->table[index][bytes[index]];
    if (record_header_sum(bytes) != sum)
        return false;
    *header = record_header_fields(bytes);
    return true;
}

/* How many zeros `bytes` starts with. */
static size_t count_zeros(const uint8_t *bytes, size_t count)
{
    size_t run = 0;
    uint64_t word;
    for (; count - run >= sizeof(word); run += sizeof(word)) {
        memcpy(&word, bytes + run, sizeof(word));
        if (word != 0)
            break;
    }
    while (run < count && bytes[run] == 0)
        run++;
    return run;
}

size_t search_next(const struct search *search, const uint8_t *bytes, size_t count,
                   struct record_header *header, bool *found)
{
    *found = false;
    size_t at = 0;
    while (count - at >= RECORD_HEADER_BYTES) {
        size_t run = bytes[at] == 0 ? count_zeros(bytes + at, count - at) : 0;
        if (run >= RECORD_HEADER_BYTES) { /* 16 zeros are no header: the sum of zeros is not 0 */
            at += run - RECORD_HEADER_BYTES + 1;
            continue;
        }
        if (search_header(search, bytes + at, header)) {
            *found = true;
            return at;
        }
        at++;
    }
    return at;
}
