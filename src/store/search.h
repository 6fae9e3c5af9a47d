/*
 * search: headers with a right checksum at unknown positions.
 *
 * Tests every position, so it is made for speed: crc32 is linear, hence the
 * sum of 12 bytes is the exclusive or of 12 table entries. Runs of zeros, the
 * usual content of a lost block, are skipped. Unlike record.h it accepts
 * length 0: files of other writers may have empty records, and gaps (see
 * gap.h) are headers of length 0.
 *
 * The table is constant after search_prepare; then any thread.
 */
#ifndef ROCHEFORT_STORE_SEARCH_H
#define ROCHEFORT_STORE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/record.h"

struct search {
    uint32_t table[RECORD_LENGTH_BYTES + RECORD_TIME_BYTES][256];
    uint32_t sum_of_zeros;
};

void search_prepare(struct search *search);

/* Whether the sum of these 16 bytes is right; if so `header` is set. */
bool search_header(const struct search *search, const uint8_t bytes[RECORD_HEADER_BYTES],
                   struct record_header *header);

/*
 * The first position in `bytes` where 16 bytes with a right sum start; if there is none, the first
 * position with fewer than 16 bytes left.
 */
size_t search_next(const struct search *search, const uint8_t *bytes, size_t count,
                   struct record_header *header, bool *found);

#endif
