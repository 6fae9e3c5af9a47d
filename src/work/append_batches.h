/*
 * append_batches: the appends of one drain of a worker's ring.
 *
 * All that go to one bucket become one write, in the order in which they came.
 * Those that are to be synced follow in a second write, with one sync for all of
 * them, which runs on a sync thread. Meanwhile the bucket takes no appends: those that
 * come wait, and share the next write. So if the sync fails, its appends are the last in
 * the file, and can be taken out again: none of them was reported as written yet, and
 * nothing follows them.
 *
 * Before they are written the root's lock is looked at, once for all of the drain. Without
 * it all of them fail.
 *
 * Belongs to the worker's thread. The jobs stay the caller's: the functions return
 * a list of those that are done, linked by `route.next`, with `error`, `offset`
 * and `sync` set.
 */
#ifndef ROCHEFORT_WORK_APPEND_BATCHES_H
#define ROCHEFORT_WORK_APPEND_BATCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "store/batch.h"
#include "work/bucket_syncs.h"
#include "work/file_cache.h"
#include "work/job.h"
#include "work/worker_counts.h"

/* Zeroed but for the first three it is empty. */
struct append_batches {
    struct file_cache *cache;
    struct sync_schedule *schedule;
    struct bucket_syncs *syncs;
    struct batch batch;          /* of the bucket that is being written */
    uint64_t time_ns;            /* of the records of this drain */
    int root_error;              /* of root_check before these writes */
    bool some_to_sync;           /* of those that were added */
    bool ending;                 /* no sync that was not tried is put off */
    struct bucket_slot *dirty;   /* buckets with appends in this drain */
    struct bucket_slot *synced;  /* those of them whose appends are to be synced */
    struct bucket_slot *waiting; /* for a descriptor, see file_cache.h */
    struct worker_counts counts;
};

void append_batches_free(struct append_batches *batches);

void append_batches_add(struct append_batches *batches, struct job *job);

/* Writes those that need no sync, of all buckets. Nothing may be added until the others are written
 * too. */
struct job *append_batches_write(struct append_batches *batches);

/* Writes the others of one bucket and begins their sync; only those that have failed before that
 * are done. To be called as long as `synced` is not NULL. */
struct job *append_batches_write_synced(struct append_batches *batches);

/* Begins the syncs that the schedule has due. */
void append_batches_start_due(struct append_batches *batches);

/* Begins a sync of a bucket that is open, for what it has already, if none is under way: 0 or
 * -ENOMEM. */
int append_batches_start_sync(struct append_batches *batches, struct bucket_slot *slot);

/* A sync has ended, any of the worker's. Releases it, and sets `*error` to what has to be known
 * about appends that were answered before: 0 or the error. */
struct job *append_batches_end_sync(struct append_batches *batches, struct bucket_sync *sync,
                                    int *error);

#endif
