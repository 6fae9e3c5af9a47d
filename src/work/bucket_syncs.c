#include "work/bucket_syncs.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/bucket.h"

static void free_list(struct bucket_sync *sync)
{
    for (struct bucket_sync *next; sync != NULL; sync = next) {
        next = sync->next;
        free(sync);
    }
}

int bucket_syncs_reserve(struct bucket_syncs *syncs, unsigned count)
{
    for (; count > 0; count--) {
        struct bucket_sync *sync = calloc(1, sizeof(*sync));
        if (sync == NULL)
            return -ENOMEM;
        sync->is_reserved = true;
        bucket_syncs_release(syncs, sync);
    }
    return 0;
}

void bucket_syncs_free(struct bucket_syncs *syncs)
{
    free_list(syncs->spare);
    free_list(syncs->reserved);
}

static struct bucket_sync *pop_zeroed(struct bucket_sync **list)
{
    struct bucket_sync *sync = *list;
    *list = sync->next;
    *sync = (struct bucket_sync){.is_reserved = sync->is_reserved};
    return sync;
}

struct bucket_sync *bucket_syncs_new(struct bucket_syncs *syncs)
{
    return syncs->spare != NULL ? pop_zeroed(&syncs->spare) : calloc(1, sizeof(*syncs->spare));
}

struct bucket_sync *bucket_syncs_new_reserved(struct bucket_syncs *syncs)
{
    return pop_zeroed(&syncs->reserved);
}

void bucket_syncs_release(struct bucket_syncs *syncs, struct bucket_sync *sync)
{
    struct bucket_sync **list = sync->is_reserved ? &syncs->reserved : &syncs->spare;
    sync->next = *list;
    *list = sync;
}

/* After the exchange the sync is the worker's, and after the call of `wake` the worker may end. */
static void hand_back(struct bucket_sync *sync)
{
    struct bucket_syncs *owner = sync->owner;
    struct bucket_sync *before = atomic_load_explicit(&owner->done, memory_order_relaxed);
    do
        sync->next = before;
    while (!atomic_compare_exchange_weak_explicit(&owner->done, &before, sync, memory_order_release,
                                                  memory_order_relaxed));
    owner->wake(owner->argument);
}

/* Sync thread. */
static void run(struct sync_work *work)
{
    struct bucket_sync *sync = (struct bucket_sync *)(void *)work;
    struct names_waiter *waiter = &sync->waiter;
    if (waiter->error == 0 &&
        !prefix_names_sync(sync->owner->names, &sync->slot->prefix->names, waiter))
        return; /* it runs again when the names are synced */
    sync->error = waiter->error;
    sync->failed = waiter->failed;
    sync->of_names = waiter->error != 0;
    if (sync->error == 0) {
        uint64_t begun_ns = clock_monotonic_ns();
        sync->error = bucket_sync(sync->slot->bucket);
        sync->took_ns = clock_monotonic_ns() - begun_ns;
        sync->failed = sync->error != 0;
    }
    hand_back(sync);
}

void bucket_syncs_start(struct bucket_syncs *syncs, struct bucket_sync *sync)
{
    sync->owner = syncs;
    sync->waiter.work.run = run;
    sync->waiter.error = 0;
    syncs->under_way++;
    sync_pool_push(syncs->pool, &sync->waiter.work);
}

struct bucket_sync *bucket_syncs_collect(struct bucket_syncs *syncs)
{
    struct bucket_sync *sync = atomic_exchange_explicit(&syncs->done, NULL, memory_order_acquire);
    struct bucket_sync *ended = NULL;
    while (sync != NULL) {
        struct bucket_sync *before = sync->next;
        sync->next = ended;
        ended = sync;
        sync = before;
        syncs->under_way--;
    }
    return ended;
}
