/*
 * gap: bytes that are known to hold no record.
 *
 * `rochefort repair` puts a gap where a file was damaged, so that what follows
 * keeps its offset and is found without a search:
 *
 *   16 bytes or more   a header with length 0 whose time is the number of
 *                      bytes that follow it; those bytes mean nothing
 *   1 to 15 bytes      all 0xff, and something follows: at the end of a file
 *                      they are the beginning of an append (the length of a
 *                      value of 255 bytes begins with ff), so no gap there is
 *                      so short
 *
 * The server answers "no record starts there" for every offset in a gap, see
 * record.h.
 *
 * Pure functions; any thread.
 */
#ifndef ROCHEFORT_STORE_GAP_H
#define ROCHEFORT_STORE_GAP_H

#include <stdbool.h>
#include <stdint.h>

#include "store/record.h"

#define GAP_SHORT_BYTE 0xff

/*
 * Writes the beginning of a gap of `bytes` bytes (1 or more, 16 or more at the end of a file).
 * Returns how many bytes it has written, at most 16.
 */
unsigned gap_encode(uint64_t bytes, uint8_t out[RECORD_HEADER_BYTES]);

/* Whether `bytes` (fewer than 16, and not the last of the file) are a gap without a header. */
bool gap_is_short(const uint8_t *bytes, unsigned count);

/*
 * Header and what belongs to it, the value or the rest of the gap; `left` bytes of the file are
 * behind the header. May be more than the file has.
 */
uint64_t gap_or_record_bytes(const struct record_header *header, uint64_t left);

#endif
