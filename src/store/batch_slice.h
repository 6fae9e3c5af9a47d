/*
 * batch_slice: the parts of a batch, so many at a time as one pwritev takes.
 *
 * The records of a list of values are made here, one after the other: the list has their lengths
 * and values, and each gets a header of its own, beside it. So a list takes no more memory than one
 * slice, however many values it has, and no value is copied.
 *
 * Belongs to one thread. No errors.
 */
#ifndef ROCHEFORT_STORE_BATCH_SLICE_H
#define ROCHEFORT_STORE_BATCH_SLICE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "store/batch.h"

struct batch_slice {
    const struct batch *batch;
    struct iovec parts[IOV_MAX]; /* the slice at hand; the writer may change it */
    size_t count;
    uint64_t bytes; /* of all its parts */

    /* where it ends */
    size_t record, part;    /* of a record that is no list: the next of its parts */
    struct value_list list; /* of a list: the place in it */
    uint32_t values;        /* of a list: so many were begun */
    uint32_t value_left;    /* of the last of these: so many bytes are not in a slice yet */
    uint64_t list_bytes;    /* of a list: of the records that were begun */

    uint8_t headers[IOV_MAX / 2][RECORD_HEADER_BYTES]; /* each is followed by a part of its value */
    size_t headers_used;
};

/* Before the first one. */
void batch_slice_begin(struct batch_slice *slice, const struct batch *batch);

/* The next slice: false if there is none. Records whose `error` is not 0 are left out, and
 * `offset` must be that of each. */
bool batch_slice_next(struct batch_slice *slice);

#endif
