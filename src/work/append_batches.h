/*
 * append_batches: the appends of one drain of a worker's ring.
 *
 * All that go to one bucket become one write, in the order in which they came.
 * Those that are to be synced follow in a second write, with one fdatasync for
 * all of them; so the others can be completed before it. If it fails they are
 * taken out of the file again: none of them was reported as written yet.
 *
 * Before they are written the root's lock is looked at, once for all of the drain,
 * and once more for each bucket that is synced. Without it all of them fail.
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
#include "work/file_cache.h"
#include "work/job.h"

/* Zeroed but for `cache` and `schedule` it is empty. */
struct append_batches {
    struct file_cache *cache;
    struct sync_schedule *schedule;
    struct batch batch;         /* of the bucket that is being written */
    uint64_t time_ns;           /* of the records of this drain */
    int root_error;             /* of root_check before these writes */
    bool some_to_sync;          /* of those that were added */
    struct bucket_slot *dirty;  /* buckets with appends in this drain */
    struct bucket_slot *synced; /* those of them whose appends are to be synced */
};

void append_batches_free(struct append_batches *batches);

void append_batches_add(struct append_batches *batches, struct job *job);

/* Writes those that need no sync, of all buckets. Nothing may be added until the others are written
 * too. */
struct job *append_batches_write(struct append_batches *batches);

/* Writes and syncs the others of one bucket. To be called as long as `synced` is not NULL. */
struct job *append_batches_write_synced(struct append_batches *batches);

#endif
