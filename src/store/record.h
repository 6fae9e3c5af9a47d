/*
 * record: the bytes on disk.
 *
 *   byte  0..3   value length, u32 little-endian
 *   byte  4..11  time, u64 little-endian, nanoseconds since 1970-01-01 UTC
 *   byte 12..15  crc32 (IEEE, zlib's) of bytes 0..11, u32 little-endian
 *   byte 16..    the value
 *
 * Records follow each other. A header is valid if and only if its sum is right
 * and it is not that of a gap. A record is valid if and only if its header is
 * valid and header + length ends inside the file. The value itself is not
 * summed: the sum is there so that a damaged length is never believed.
 *
 * A gap, which `rochefort repair` leaves, has the length 0, and in place of the
 * time the number of its bytes behind the header. A record of length 0 is one
 * of another program (this server writes none): its time is far more than any
 * file is long.
 *
 * Pure functions; any thread.
 */
#ifndef ROCHEFORT_STORE_RECORD_H
#define ROCHEFORT_STORE_RECORD_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define RECORD_LENGTH_BYTES 4
#define RECORD_TIME_BYTES 8
#define RECORD_SUM_BYTES 4
#define RECORD_SUMMED_BYTES (RECORD_LENGTH_BYTES + RECORD_TIME_BYTES)
#define RECORD_HEADER_BYTES (RECORD_SUMMED_BYTES + RECORD_SUM_BYTES)
#define RECORD_VALUE_BYTES_MAX UINT32_MAX

struct record_header {
    uint32_t value_bytes;
    uint64_t time_ns;
};

/* Writes the 16 bytes of `header` to `out`. */
void record_header_encode(const struct record_header *header, uint8_t out[RECORD_HEADER_BYTES]);

/* The sum in 16 bytes, and their other fields, whether they are a valid header or not. */
static inline uint32_t record_header_sum(const uint8_t in[RECORD_HEADER_BYTES])
{
    uint32_t sum;
    memcpy(&sum, in + RECORD_SUMMED_BYTES, sizeof(sum));
    return le32toh(sum);
}

static inline struct record_header record_header_fields(const uint8_t in[RECORD_HEADER_BYTES])
{
    uint32_t length;
    uint64_t time;
    memcpy(&length, in, sizeof(length));
    memcpy(&time, in + RECORD_LENGTH_BYTES, sizeof(time));
    return (struct record_header){le32toh(length), le64toh(time)};
}

/* Whether a header with a right sum, which has `left` bytes of the file behind it, is a gap's. */
static inline bool record_header_is_gap(const struct record_header *header, uint64_t left)
{
    return header->value_bytes == 0 && header->time_ns <= left;
}

/* Whether the sum in 16 bytes is that of the others. */
bool record_header_sum_is_right(const uint8_t in[RECORD_HEADER_BYTES]);

/* Reads 16 bytes that have `left` bytes of the file behind them. 0, or STORE_BAD_HEADER if they are
 * not a valid header (`header` is then untouched). */
int record_header_decode(const uint8_t in[RECORD_HEADER_BYTES], uint64_t left,
                         struct record_header *header);

#endif
