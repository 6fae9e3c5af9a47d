#include "work/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "work/mailbox.h"
#include "work/prefix_names.h"
#include "work/single_client.h"
#include "work/wake.h"
#include "work/worker.h"

/* So many jobs are worth a wake-up; fewer wait for an iteration that brings none. */
#define BURST_JOBS 32

struct worker_slot {
    struct worker *worker;
    unsigned in_flight;
};

struct pool {
    const struct root *root;
    unsigned workers, max_in_flight;
    struct slots slots_if_new;
    int event_fd;
    struct sleeper loop;
    unsigned with_workers;          /* jobs that were pushed and not collected */
    unsigned pushed, pushed_before; /* since the last wake-up: now, and one iteration ago */
    struct single_client single_client;
    struct sync_pool *sync_pool;
    struct names_lock *names;
    void (*synced)(void *argument); /* see pool_on_synced */
    void *synced_argument;
    struct worker_slot slots[];
};

int pool_start(const struct pool_options *options, struct pool **out)
{
    struct pool *pool = calloc(1, sizeof(*pool) + options->workers * sizeof(pool->slots[0]));
    if (pool == NULL)
        return -ENOMEM;
    pool->root = options->root;
    pool->workers = options->workers;
    pool->max_in_flight = options->max_in_flight;
    pool->slots_if_new = options->slots_if_new;
    sleeper_init(&pool->loop);
    single_client_init_loop(&pool->single_client);
    int error = 0;
    pool->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->event_fd < 0)
        error = -errno;
    if (error == 0)
        error = sync_pool_start(options->sync_threads, &pool->sync_pool);
    if (error == 0) {
        pool->names = names_lock_new(options->root, pool->sync_pool);
        error = pool->names == NULL ? -ENOMEM : 0;
    }
    for (unsigned i = 0; error == 0 && i < options->workers; i++) {
        struct worker_options worker = {
            .root = options->root,
            .index = i,
            .workers = options->workers,
            .buckets_if_new = options->buckets_if_new,
            .slots_if_new = options->slots_if_new,
            .max_files = options->max_files / options->workers + 1,
            .sync_after_ms = options->sync_after_ms,
            .syncs_at_once = options->sync_threads,
            .sync_pool = pool->sync_pool,
            .names = pool->names,
            .notice = options->notice,
            .syncs_owed = options->syncs_owed,
            .ring_capacity = 2 * (size_t)options->max_in_flight,
            .loop = &pool->loop,
            .loop_fd = pool->event_fd,
        };
        error = worker_start(&worker, &pool->slots[i].worker);
    }
    if (error != 0) {
        (void)pool_stop(pool); /* nothing was synced yet */
        return error;
    }
    *out = pool;
    return 0;
}

int pool_stop(struct pool *pool)
{
    int first = 0;
    unsigned hung = 0;
    if (pool == NULL)
        return 0;
    for (unsigned i = 0; i < pool->workers; i++) {
        unsigned left = 0;
        int error = pool->slots[i].worker != NULL ? worker_join(pool->slots[i].worker, &left) : 0;
        first = first != 0 ? first : error;
        hung += left;
    }
    if (hung > 0) {
        log_line("the disk holds up the last syncs of %u files; not waiting", hung);
        return -ETIMEDOUT;
    }
    sync_pool_stop(pool->sync_pool); /* its threads wake workers */
    for (unsigned i = 0; i < pool->workers; i++)
        worker_free(pool->slots[i].worker);
    names_lock_free(pool->names);
    if (pool->event_fd >= 0)
        (void)close(pool->event_fd);
    free(pool);
    return first;
}

const struct root *pool_root(const struct pool *pool)
{
    return pool->root;
}

unsigned pool_workers(const struct pool *pool)
{
    return pool->workers;
}

unsigned pool_max_in_flight(const struct pool *pool)
{
    return pool->max_in_flight;
}

const struct slots *pool_slots_if_new(const struct pool *pool)
{
    return &pool->slots_if_new;
}

unsigned pool_in_flight(const struct pool *pool, unsigned worker)
{
    return pool->slots[worker].in_flight;
}

const struct worker_counts *pool_counts(const struct pool *pool, unsigned worker)
{
    return worker_counts(pool->slots[worker].worker);
}

int pool_event_fd(const struct pool *pool)
{
    return pool->event_fd;
}

bool pool_admit(struct pool *pool, unsigned worker)
{
    if (pool->slots[worker].in_flight >= pool->max_in_flight)
        return false;
    pool->slots[worker].in_flight++;
    return true;
}

void pool_release(struct pool *pool, unsigned worker)
{
    pool->slots[worker].in_flight--;
}

static struct mailbox *mailbox_of(const struct pool *pool, unsigned worker)
{
    return worker_mailbox(pool->slots[worker].worker);
}

void pool_push(struct pool *pool, struct job *job)
{
    pool->with_workers++;
    pool->pushed++;
    job->route.single_client = single_client_pushed(&pool->single_client, pool->with_workers);
    mailbox_push(mailbox_of(pool, job->route.worker), job);
}

void pool_collect(struct pool *pool)
{
    for (unsigned i = 0; i < pool->workers; i++) {
        struct mailbox *mailbox = mailbox_of(pool, i);
        for (size_t count = mailbox_completed(mailbox); count > 0; count--) {
            struct job *job = mailbox_pop(mailbox);
            if (mailbox_is_synced(mailbox, job)) {
                pool->synced(pool->synced_argument);
                continue;
            }
            pool->with_workers--;
            job->route.completed(job);
        }
    }
}

void pool_wake(struct pool *pool)
{
    unsigned before = pool->pushed_before;
    pool->pushed_before = pool->pushed;
    if (pool->pushed > 1 && pool->pushed > before && pool->pushed < BURST_JOBS)
        return;
    pool->pushed = pool->pushed_before = 0;
    for (unsigned i = 0; i < pool->workers; i++)
        mailbox_wake_pushed(mailbox_of(pool, i));
}

void pool_on_synced(struct pool *pool, void (*synced)(void *argument), void *argument)
{
    pool->synced = synced;
    pool->synced_argument = argument;
}

void pool_trim(struct pool *pool)
{
    for (unsigned i = 0; i < pool->workers; i++)
        mailbox_push_trim(mailbox_of(pool, i));
}

static bool has_completed(const void *argument)
{
    const struct pool *pool = argument;
    unsigned i = 0;
    while (i < pool->workers && mailbox_completed(mailbox_of(pool, i)) == 0)
        i++;
    return i < pool->workers;
}

bool pool_may_sleep(struct pool *pool)
{
    if (pool->pushed > 0)
        return false;
    if (pool->with_workers == 1 && single_client_spin(&pool->single_client, has_completed, pool))
        return false;
    sleeper_announce(&pool->loop);
    if (!has_completed(pool))
        return true;
    sleeper_stay(&pool->loop);
    return false;
}

void pool_awake(struct pool *pool)
{
    sleeper_stay(&pool->loop);
}
