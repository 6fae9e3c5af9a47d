/*
 * bucket_syncs: the syncs of one worker's buckets that are under way on the sync threads.
 *
 * From bucket_syncs_start until bucket_syncs_collect returns it, a sync belongs to a sync thread.
 * Of the bucket that thread only calls bucket_sync. The worker goes on reading from the bucket, and
 * must not append to it, close it or suspend it until then.
 *
 * A sync thread hands a sync back by pushing it on a stack, of which the worker takes all at once:
 *   push:    what the thread has written -> release exchange of `done`   partner: collect's acquire
 *   collect: acquire exchange of `done` with NULL                        partner: the release above
 * Then it wakes the worker as wake.h says. No push waits for the worker, nor it for a push.
 *
 * Worker's thread, but for what runs on the sync threads inside.
 */
#ifndef ROCHEFORT_WORK_BUCKET_SYNCS_H
#define ROCHEFORT_WORK_BUCKET_SYNCS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "work/open_prefix.h"
#include "work/prefix_names.h"
#include "work/sync_pool.h"

struct job;

/* One sync of one bucket. */
struct bucket_sync {
    struct names_waiter waiter; /* first */
    struct bucket_syncs *owner;
    struct bucket_sync *next;
    struct bucket_slot *slot;
    struct job *jobs; /* appends that are answered after it; NULL: it is made for those before */
    int64_t bytes;    /* how long their records at the end of the file are */
    bool is_reserved;
    bool promised;         /* appends that were answered before are to be on the disk with it */
    bool of_names, failed; /* result: the error is of the names; it is of a sync */
    int error;             /* result: 0, -errno or one of store/error.h */
    uint64_t took_ns;      /* result: that of the file alone */
};

struct bucket_syncs {
    struct sync_pool *pool;
    struct names_lock *names;
    void (*wake)(void *argument); /* sync threads: something is to be collected */
    void *argument;
    _Atomic(struct bucket_sync *) done; /* the last first */
    struct bucket_sync *spare, *reserved;
    unsigned under_way;
};

/* Zeroed but for the first four it is ready. Makes so many that can be had when there is no memory
 * left. 0 or -ENOMEM. To be freed in any case, with none under way. */
int bucket_syncs_reserve(struct bucket_syncs *syncs, unsigned count);
void bucket_syncs_free(struct bucket_syncs *syncs);

/* A zeroed one, for bucket_syncs_start or bucket_syncs_release. NULL when out of memory; never one
 * of the reserved, as long as not more of them are asked for than there are. */
struct bucket_sync *bucket_syncs_new(struct bucket_syncs *syncs);
struct bucket_sync *bucket_syncs_new_reserved(struct bucket_syncs *syncs);
void bucket_syncs_release(struct bucket_syncs *syncs, struct bucket_sync *sync);

/* Begins the sync of its slot's bucket, which is open. */
void bucket_syncs_start(struct bucket_syncs *syncs, struct bucket_sync *sync);

/* Something is to be collected. One load. */
static inline bool bucket_syncs_done(const struct bucket_syncs *syncs)
{
    /* relaxed: nothing is read through it, collect acquires */
    return atomic_load_explicit(&syncs->done, memory_order_relaxed) != NULL;
}

/* Those that have ended, in that order, linked by `next`. */
struct bucket_sync *bucket_syncs_collect(struct bucket_syncs *syncs);

#endif
