/*
 * batch: the records of one write, in the shape pwritev wants them.
 *
 * One thread fills it, hands it to bucket_append and reads the results; it is
 * reused for the next write. It points at the values and copies none of them:
 * they must stay where they are until bucket_append has returned.
 */
#ifndef ROCHEFORT_STORE_BATCH_H
#define ROCHEFORT_STORE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "store/record.h"
#include "store/value_list.h"

/* What is appended as a whole or not at all: one record, or those of a list of values. */
struct batch_record {
    uint8_t header[RECORD_HEADER_BYTES]; /* of a list: of its last record */
    uint32_t values;                     /* of a list; 0: it is one record */
    uint64_t time_ns;                    /* of a list */
    uint64_t *offsets; /* of a list, result: where each record starts, little-endian */
    size_t first_part; /* index into batch.parts: the header, then the value; or the list */
    size_t part_count;
    uint64_t bytes; /* headers and values */
    bool expects;   /* it is written only if the bucket ends at `expected` when it is its turn */
    int64_t expected;
    int64_t offset; /* result: where the (first) record starts, if error is 0 */
    int error;      /* result: 0 or what bucket_append says */
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

/* The same for a list of values that value_list_check has found good, with its `segments` in place
 * of the value. `offsets` is room for as many as it has values; they are written also if it is not.
 */
struct iovec *batch_add_list(struct batch *batch, uint64_t time_ns,
                             const struct value_list_content *content, uint64_t *offsets,
                             size_t segments);

/* What was added last is to be written only if the bucket ends at `end` then. */
void batch_expect(struct batch *batch, int64_t end);

/* How many bytes of it bucket_append has written. */
uint64_t batch_written_bytes(const struct batch *batch);

#endif
