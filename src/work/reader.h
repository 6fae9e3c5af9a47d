/*
 * reader: carries a read job on by one piece.
 *
 * Called by the worker that owns the bucket. Memory for a reply is bounded:
 * at most JOB_PIECE_BYTES and one small value more are read ahead of the loop.
 */
#ifndef ROCHEFORT_WORK_READER_H
#define ROCHEFORT_WORK_READER_H

#include <stdbool.h>

#include "store/bucket.h"
#include "work/job.h"

/*
 * Reads the next piece of a JOB_READ or JOB_READ_MULTI. With `cached_only` it does not wait for
 * the disk. What will be waited for is announced to the kernel: a value, as long as it is or is
 * expected to be, when it is found not to be in memory (unless `waits` says that it was), the
 * offsets of a getMulti a window at a time, when it is their turn.
 *
 *   0         the piece is in the job; `more` says whether the reply goes on
 *   -EAGAIN   the piece is not finished: call again, and if it was with `cached_only` without it
 *   -ENOENT, -ENODATA, other -errno: see bucket_read. For JOB_READ_MULTI `piece` holds the values
 *             before the one that failed and `offset` says which that is.
 */
int reader_read(struct job *job, struct bucket *bucket, bool cached_only);

#endif
