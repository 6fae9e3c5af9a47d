/*
 * reader: carries a read job on by one piece.
 *
 * Called by the worker that owns the bucket. Memory for a reply is bounded: at
 * most JOB_PIECE_BYTES_MAX of it are read ahead of the loop.
 * Owns job->progress; no other module looks at it.
 */
#ifndef ROCHEFORT_WORK_READER_H
#define ROCHEFORT_WORK_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/bucket.h"
#include "work/job.h"

enum reader_result {
    READER_DONE,    /* the piece is in the job, or job->error says why not */
    READER_BLOCKED, /* the page cache does not have the rest: call again with `may_wait` */
    READER_YIELD    /* the piece is not complete, but other jobs go first now: call again */
};

/* What getMultis may still read before other jobs go first. */
struct reader_quota {
    size_t values, bytes;
};

/* A whole one. */
#define READER_QUOTA_VALUES 1024
#define READER_QUOTA ((struct reader_quota){READER_QUOTA_VALUES, JOB_PIECE_BYTES})

/* A getMulti would yield at once. */
static inline bool reader_quota_is_used(const struct reader_quota *quota)
{
    return quota->values == 0 || quota->bytes == 0;
}

/*
 * Reads the next piece of a JOB_READ or JOB_READ_MULTI. Without `may_wait` it does not wait for the
 * disk. What has to be waited for is prefetched: a value, as long as it is or usually is, when it
 * is found not to be in memory; the offsets of a getMulti a batch at a time, when they are read
 * next.
 *
 * A getMulti takes what it reads off `quota`, and yields when that is used. It goes over it by less
 * than one piece.
 *
 * `usual_bytes` is the bucket's: about how long its values are, 0 at first. Kept by the reader.
 *
 * With READER_DONE job->error is 0, then `more` says whether the reply goes on; or an error of
 * bucket_read, STORE_CHANGED if a value has begun in another file than the bucket has now, or, of
 * JOB_READ_MULTI alone, STORE_EMPTY_RECORD, since its framing cannot say that a value is empty. For
 * JOB_READ_MULTI `piece` then holds the values before the one that failed and the beginning of that
 * one, `partial_bytes` says how much of it, and `offset` which one it is. With `errors_each` and an
 * error `more` says whether offsets are left: a resumed job goes on with the next one, behind what
 * the piece holds then.
 */
enum reader_result reader_read(struct job *job, struct bucket *bucket, uint32_t *usual_bytes,
                               bool may_wait, struct reader_quota *quota);

/* Ends a read with an error of the caller's, for instance of opening the file; as READER_DONE. */
void reader_fail(struct job *job, int error);

#endif
