#include "store/record.h"

#include <zlib.h>

#include "store/error.h"

static uint32_t compute_sum(const uint8_t *bytes)
{
    return (uint32_t)crc32(0, bytes, RECORD_SUMMED_BYTES);
}

void record_header_encode(const struct record_header *header, uint8_t out[RECORD_HEADER_BYTES])
{
    uint32_t length = htole32(header->value_bytes);
    uint64_t time = htole64(header->time_ns);
    memcpy(out, &length, sizeof(length));
    memcpy(out + RECORD_LENGTH_BYTES, &time, sizeof(time));
    uint32_t sum = htole32(compute_sum(out));
    memcpy(out + RECORD_SUMMED_BYTES, &sum, sizeof(sum));
}

bool record_header_sum_is_right(const uint8_t in[RECORD_HEADER_BYTES])
{
    return record_header_sum(in) == compute_sum(in);
}

int record_header_decode(const uint8_t in[RECORD_HEADER_BYTES], uint64_t left,
                         struct record_header *header)
{
    struct record_header fields = record_header_fields(in);
    if (!record_header_sum_is_right(in) || record_header_is_gap(&fields, left))
        return STORE_BAD_HEADER;
    *header = fields;
    return 0;
}
