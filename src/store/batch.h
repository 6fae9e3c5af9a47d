/*
 * batch: the records of one write, in the shape pwritev wants them.
 *
 * One thread fills it, hands it to bucket_append and reads the results; it is
 * reused for the next write. It points at the values and copies none of them:
 * they must stay where they are until bucket_append has returned.
 */
#ifndef ROCHEFORT_STORE_BATCH_H
#define ROCHEFORT_STORE_BATCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "store/record.h"

struct batch_record {
    uint8_t header[RECORD_HEADER_BYTES];
    size_t first_part; /* index into batch.parts: the header, then the value */
    uint64_t bytes;    /* header and value */
    int64_t offset;    /* result: where the record starts, if error is 0 */
    int error;         /* result: 0 or what bucket_append says */
};

struct batch {
    struct batch_record *records;
    size_t record_count, record_capacity;
    struct iovec *parts;
    size_t part_count, part_capacity;
    uint64_t bytes;
};

/* A zeroed struct batch is empty and ready; batch_free gives its memory back. */
void batch_free(struct batch *batch);

/* Forgets the records, keeps the memory. */
void batch_reset(struct batch *batch);

/*
 * Adds a record of `value_bytes` (1 .. RECORD_VALUE_BYTES_MAX). Returns where the caller must put
 * the `value_parts` pieces of the value, valid until the next call; NULL when out of memory, with
 * the batch as it was.
 */
struct iovec *batch_add(struct batch *batch, uint64_t time_ns, uint32_t value_bytes,
                        size_t value_parts);

#endif
