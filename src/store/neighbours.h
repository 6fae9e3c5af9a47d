/*
 * neighbours: short records that are close to each other in a bucket, read in one call.
 *
 * For reads of many offsets: those of values that were appended together follow each other, and a
 * call to the kernel costs ten times what is done with a short value. What is read is a copy, only
 * looked at: a record that is not wholly in it, or not good, is left to bucket_read, which says
 * what is wrong with it.
 *
 * As bucket.h: one thread. The copy is valid until something is appended to the bucket or taken
 * back. No errors.
 */
#ifndef ROCHEFORT_STORE_NEIGHBOURS_H
#define ROCHEFORT_STORE_NEIGHBOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/bucket.h"

#define NEIGHBOURS_BYTES (16 * 1024)

struct neighbours {
    int64_t begin;
    size_t bytes; /* that are there */
    uint8_t data[NEIGHBOURS_BYTES];
};

/*
 * How many of the `offsets` (little-endian, at least one) are so close, in ascending order, that
 * one call reads no more bytes than a read of `each_bytes` at each of them would.
 */
size_t neighbours_count(const uint64_t *offsets, size_t count, size_t each_bytes);

/* Reads from the first of `count` such offsets on, up to `each_bytes` behind the last. With
 * `cached_only` what is in memory. */
void neighbours_read(struct neighbours *neighbours, struct bucket *bucket, const uint64_t *offsets,
                     size_t count, size_t each_bytes, bool cached_only);

/* As bucket_read, if the whole record is there and its value fits; false otherwise. */
bool neighbours_find(const struct neighbours *neighbours, const struct bucket *bucket,
                     int64_t offset, void *buffer, size_t capacity, struct bucket_value *found);

#endif
