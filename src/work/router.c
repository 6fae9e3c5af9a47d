#include "work/router.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/error.h"
#include "work/file_cache.h"
#include "work/prefix_states.h"
#include "work/router_state.h"

static void files_synced(void *argument)
{
    struct router *router = argument;
    scan_waits_synced(&router->scan_waits);
}

struct router *router_new(struct pool *pool, unsigned max_open_prefixes)
{
    struct router *router = calloc(1, sizeof(*router));
    if (router == NULL)
        return NULL;
    router->pool = pool;
    router->max_parked = pool_max_in_flight(pool);
    router->prefixes.max_open = max_open_prefixes;
    scan_turns_init(&router->scan_turns, pool);
    pool_on_synced(pool, files_synced, router);
    return router;
}

void router_free(struct router *router)
{
    if (router == NULL)
        return;
    if (router->in_flight > 0) {
        log_line("%u requests are still in flight", router->in_flight);
        log_flush();
        abort();
    }
    prefix_table_clear(&router->prefixes);
    free(router);
}

void router_complete_later(struct router *router, struct job *job, int error)
{
    job->error = error;
    job_list_add(&router->completed, job);
}

void router_refuse_slot(struct router *router, struct job *job, const struct slots *held)
{
    memcpy(job->small, held, sizeof(*held));
    router_complete_later(router, job, STORE_OTHER_SLOT);
}

static void deliver(struct router *router, struct job *job)
{
    router->in_flight--;
    job->done(job);
}

/* No bucket was tried. */
static void start_anew(struct job *job)
{
    job->error = 0;
    job->more = false;
    job->route.prefix = NULL;
    job->has_bucket = false;
    job->route.begun = false;
    job->bucket = PREFIX_DIRECTORY;
}

/* A job of the prefix is finished for good. */
static void release_job(struct open_prefix *prefix, const struct job *job)
{
    pool_release(prefix->router->pool, job->route.worker);
    prefix->in_flight--;
    prefix->appends -= job_appends(job);
    prefix_states_job_finished(prefix);
}

static void submit(struct router *router, const char *name, struct job *job);

/* The directory of its prefix was deleted. It is made anew for an append, once; or it was replaced,
 * by somebody else who writes to the root. True: the job waits for that. */
static bool submit_again(struct open_prefix *prefix, struct job *job)
{
    struct router *router = prefix->router;
    if (job->route.again || router->parked >= router->max_parked) {
        job->error = job->route.again ? STORE_FILES_MISSING : JOB_TOO_MANY_IN_FLIGHT;
        return false;
    }
    job->route.again = true;
    job->sync = job->route.to_sync;
    prefix_states_reopen(prefix);
    release_job(prefix, job);
    start_anew(job);
    if (!job_appends(job)) { /* it was not waited for: a newer generation may be open by now */
        submit(router, prefix->name, job);
        return true;
    }
    router->parked++;
    job_list_add(&prefix->again, job);
    return true;
}

static void job_completed(struct job *job)
{
    struct open_prefix *prefix = job->route.prefix;
    if (job->more) {
        job->done(job);
        return;
    }
    if (job->error == FILE_CACHE_DELETED && submit_again(prefix, job))
        return;
    release_job(prefix, job);
    if (job_appends(job) && job->error == 0)
        scan_waits_appended(&prefix->router->scan_waits, prefix, job->bucket);
    deliver(prefix->router, job);
}

/* All workers have a part in it, one after the other. */
static void ends_completed(struct job *job)
{
    struct open_prefix *prefix = job->route.prefix;
    struct pool *pool = prefix->router->pool;
    unsigned next = job->route.worker + 1;
    if (job->error == 0 && next < pool_workers(pool)) {
        if (pool_admit(pool, next)) {
            pool_release(pool, job->route.worker);
            job->route.worker = next;
            job->ends.next = 0;
            pool_push(pool, job);
            return;
        }
        job->error = JOB_TOO_MANY_IN_FLIGHT;
    }
    job_completed(job);
}

/* Which bucket a job is for, and so which worker. Of no meaning to a JOB_ENDS. */
static bool find_bucket(const struct open_prefix *prefix, const struct job *job, unsigned *bucket)
{
    *bucket = manifest_bucket(&prefix->manifest, &job->id_hash);
    if (job->kind == JOB_SCAN && job->scan.by_bucket)
        *bucket = job->scan.bucket;
    return *bucket < prefix->manifest.buckets;
}

void router_dispatch(struct open_prefix *prefix, struct job *job)
{
    struct pool *pool = prefix->router->pool;
    unsigned bucket;
    if (!job_is_held(job, &prefix->manifest.slots)) {
        router_refuse_slot(prefix->router, job, &prefix->manifest.slots);
        return;
    }
    if (!find_bucket(prefix, job, &bucket)) {
        router_complete_later(prefix->router, job, STORE_NO_BUCKET);
        return;
    }
    job->route.worker =
        job->kind == JOB_ENDS ? 0 : open_prefix_owner(prefix, bucket, pool_workers(pool));
    if (!pool_admit(pool, job->route.worker)) {
        if (job->kind == JOB_SCAN)
            job->scan.no_slot = true;
        router_complete_later(prefix->router, job, JOB_TOO_MANY_IN_FLIGHT);
        return;
    }
    job->has_bucket = true;
    job->bucket = bucket;
    job->route.prefix = prefix;
    job->route.completed = job->kind == JOB_ENDS ? ends_completed : job_completed;
    prefix->in_flight++;
    prefix->appends += job_appends(job);
    prefix_table_use(&prefix->router->prefixes, prefix);
    pool_push(pool, job);
}

static void submit(struct router *router, const char *name, struct job *job)
{
    struct open_prefix *prefix = prefix_table_get(&router->prefixes, router, name);
    if (prefix == NULL) {
        router_complete_later(router, job, -ENOMEM);
        return;
    }
    if (prefix->state == PREFIX_OPEN && job->kind != JOB_CLOSE) {
        router_dispatch(prefix, job);
        return;
    }
    if (router->parked >= router->max_parked) {
        router_complete_later(router, job, JOB_TOO_MANY_IN_FLIGHT);
    } else {
        router->parked++;
        job_list_add(&prefix->parked, job);
    }
    prefix_states_serve(prefix);
}

void router_submit(struct router *router, const char *name, struct job *job)
{
    start_anew(job);
    job->route.again = false;
    job->route.to_sync = job->sync;
    router->in_flight++;
    submit(router, name, job);
}

static void job_without_prefix_completed(struct job *job)
{
    struct router *router = job->route.router;
    pool_release(router->pool, job->route.worker);
    deliver(router, job);
}

/* To the workers in turn. */
static void submit_without_prefix(struct router *router, struct job *job, enum job_kind kind)
{
    start_anew(job);
    router->in_flight++;
    router->next_checker = (router->next_checker + 1) % pool_workers(router->pool);
    job->kind = kind;
    job->route.worker = router->next_checker;
    job->route.router = router;
    job->route.completed = job_without_prefix_completed;
    if (pool_admit(router->pool, job->route.worker))
        pool_push(router->pool, job);
    else
        router_complete_later(router, job, JOB_TOO_MANY_IN_FLIGHT);
}

void router_check_values(struct router *router, struct job *job)
{
    submit_without_prefix(router, job, JOB_CHECK_VALUES);
}

void router_check_room(struct router *router, struct job *job)
{
    submit_without_prefix(router, job, JOB_CHECK_ROOM);
}

void router_list(struct router *router, struct job *job)
{
    submit_without_prefix(router, job, JOB_LIST);
}

const char *router_sync_refused(const struct router *router)
{
    return prefix_table_sync_refused(&router->prefixes);
}

bool router_root_sync_failed(const struct router *router)
{
    return root_sync_failed(pool_root(router->pool));
}

void router_resume(struct router *router, struct job *job)
{
    pool_push(router->pool, job);
}

void router_abandon(struct router *router, struct job *job)
{
    release_job(job->route.prefix, job);
    router->in_flight--;
}

enum scan_waits_result router_wait(struct job *job, void (*woken)(struct job *job))
{
    job->scan.woken = woken;
    return scan_waits_add(&job->route.prefix->router->scan_waits, job);
}

void router_wait_turn(struct router *router, struct job *job, void (*woken)(struct job *job))
{
    job->scan.woken = woken;
    scan_turns_add(&router->scan_turns, job);
}

bool router_stop_waiting(struct router *router, struct job *job)
{
    return scan_waits_remove(job) || scan_turns_remove(&router->scan_turns, job);
}

bool router_overdue(const struct job *job)
{
    const struct open_prefix *prefix = job->route.prefix;
    return prefix->state >= PREFIX_DRAINING &&
           clock_monotonic_s() - prefix->draining_since >= ROUTER_CLOSE_SECONDS;
}

unsigned router_open_prefixes(const struct router *router)
{
    return router->prefixes.open;
}

const struct pool *router_pool(const struct router *router)
{
    return router->pool;
}

unsigned router_in_flight(const struct router *router)
{
    return router->in_flight;
}

void router_deliver(struct router *router)
{
    struct job *job = router->completed.first, *next;
    router->completed.first = NULL;
    for (; job != NULL; job = next) {
        next = job->route.next;
        deliver(router, job);
    }
    scan_waits_deliver(&router->scan_waits);
    scan_turns_deliver(&router->scan_turns);
}

bool router_may_sleep(const struct router *router)
{
    return router->completed.first == NULL && router->scan_waits.woken.first == NULL &&
           !scan_turns_due(&router->scan_turns);
}
