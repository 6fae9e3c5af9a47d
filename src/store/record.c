#include "store/record.h"

#include <endian.h>
#include <string.h>
#include <zlib.h>

#include "store/error.h"

#define SUMMED_BYTES (RECORD_LENGTH_BYTES + RECORD_TIME_BYTES)

static uint32_t header_sum(const uint8_t *bytes)
{
    return (uint32_t)crc32(0, bytes, SUMMED_BYTES);
}

void record_header_encode(const struct record_header *header, uint8_t out[RECORD_HEADER_BYTES])
{
    uint32_t length = htole32(header->value_bytes);
    uint64_t time = htole64(header->time_ns);
    memcpy(out, &length, sizeof(length));
    memcpy(out + RECORD_LENGTH_BYTES, &time, sizeof(time));
    uint32_t sum = htole32(header_sum(out));
    memcpy(out + SUMMED_BYTES, &sum, sizeof(sum));
}

int record_header_decode(const uint8_t in[RECORD_HEADER_BYTES], struct record_header *header)
{
    uint32_t length;
    uint64_t time;
    uint32_t sum;
    memcpy(&length, in, sizeof(length));
    memcpy(&time, in + RECORD_LENGTH_BYTES, sizeof(time));
    memcpy(&sum, in + SUMMED_BYTES, sizeof(sum));
    if (le32toh(sum) != header_sum(in) || length == 0)
        return STORE_BAD_HEADER;
    header->value_bytes = le32toh(length);
    header->time_ns = le64toh(time);
    return 0;
}
