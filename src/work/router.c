#include "work/router.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/log.h"
#include "work/open_prefix.h"

struct router {
    struct pool *pool;
    struct open_prefix *prefixes; /* hash table by name */
    unsigned max_parked, parked;
    unsigned in_flight;
    struct job *completed, **completed_end; /* without a worker, to be delivered */
};

static void drain_parked(struct open_prefix *prefix);

struct router *router_new(struct pool *pool)
{
    struct router *router = calloc(1, sizeof(*router));
    if (router == NULL)
        return NULL;
    router->pool = pool;
    router->max_parked = pool_max_in_flight(pool);
    router->completed_end = &router->completed;
    return router;
}

static void remove_prefix(struct open_prefix *prefix)
{
    HASH_DEL(prefix->router->prefixes, prefix);
    open_prefix_free(prefix);
}

void router_free(struct router *router)
{
    if (router == NULL)
        return;
    if (router->in_flight > 0) {
        log_line("%u requests are still in flight", router->in_flight);
        abort();
    }
    struct open_prefix *prefix, *next;
    HASH_ITER (hh, router->prefixes, prefix, next)
        remove_prefix(prefix);
    free(router);
}

/* The result is known; `done` is called by router_deliver. */
static void complete(struct router *router, struct job *job, int error)
{
    job->error = error;
    job->route.next = NULL;
    *router->completed_end = job;
    router->completed_end = &job->route.next;
}

static void deliver(struct router *router, struct job *job)
{
    router->in_flight--;
    job->done(job);
}

static void push_control(struct open_prefix *prefix, enum job_kind kind, unsigned worker);

/* A job of the prefix is finished for good. */
static void release_job(struct open_prefix *prefix, const struct job *job)
{
    pool_release(prefix->router->pool, job->route.worker);
    prefix->in_flight--;
    if (prefix->state == PREFIX_DRAINING && prefix->in_flight == 0) {
        prefix->state = PREFIX_CLOSING;
        push_control(prefix, JOB_CLOSE, 0);
    }
}

static void job_completed(struct job *job)
{
    struct open_prefix *prefix = job->route.prefix;
    if (job->more) {
        job->done(job);
        return;
    }
    release_job(prefix, job);
    deliver(prefix->router, job);
}

/* Hands a request to the worker that owns its bucket. */
static void dispatch(struct open_prefix *prefix, struct job *job)
{
    struct pool *pool = prefix->router->pool;
    job->bucket = (unsigned)(job->id_hash % prefix->buckets);
    job->route.worker = open_prefix_owner(prefix, job->bucket, pool_workers(pool));
    if (!pool_admit(pool, job->route.worker)) {
        complete(prefix->router, job, JOB_TOO_MANY_IN_FLIGHT);
        return;
    }
    job->has_bucket = true;
    job->route.prefix = prefix;
    job->route.completed = job_completed;
    prefix->in_flight++;
    pool_push(pool, job);
}

/* The state is PREFIX_SHUT or PREFIX_OPEN. */
static void begin_close(struct open_prefix *prefix, struct job *job)
{
    if (prefix->state == PREFIX_SHUT) {
        complete(prefix->router, job, 0);
        return;
    }
    prefix->closer = job;
    prefix->router->parked++; /* a waiting close counts, see pool.h on control messages */
    prefix->state = prefix->in_flight > 0 ? PREFIX_DRAINING : PREFIX_CLOSING;
    prefix->draining_since = clock_monotonic_s();
    if (prefix->state == PREFIX_CLOSING)
        push_control(prefix, JOB_CLOSE, 0);
}

static void unpark(struct open_prefix *prefix)
{
    prefix->parked = prefix->parked->route.next;
    if (prefix->parked == NULL)
        prefix->parked_end = &prefix->parked;
    prefix->router->parked--;
}

/* A resolve failed: so do the jobs it was made for. Appends get a resolve of their own. */
static void fail_parked(struct open_prefix *prefix, bool created, int error)
{
    while (prefix->parked != NULL) {
        struct job *job = prefix->parked;
        if (job->kind == JOB_CLOSE || (job->kind == JOB_APPEND && !created))
            break;
        unpark(prefix);
        complete(prefix->router, job, error);
    }
}

static void resolve_completed(struct job *control)
{
    struct open_prefix *prefix = control->route.prefix;
    int error = control->error;
    if (error == 0)
        error = open_prefix_make_slots(prefix);
    prefix->state = error == 0 ? PREFIX_OPEN : PREFIX_SHUT;
    if (error != 0)
        fail_parked(prefix, control->route.create, error);
    drain_parked(prefix);
}

static void close_completed(struct job *control)
{
    struct open_prefix *prefix = control->route.prefix;
    struct router *router = prefix->router;
    if (control->route.worker + 1 < pool_workers(router->pool)) {
        push_control(prefix, JOB_CLOSE, control->route.worker + 1);
        return;
    }
    open_prefix_reset(prefix);
    prefix->state = PREFIX_SHUT;
    complete(router, prefix->closer, 0);
    prefix->closer = NULL;
    router->parked--;
    drain_parked(prefix);
}

static void push_control(struct open_prefix *prefix, enum job_kind kind, unsigned worker)
{
    struct job *control = &prefix->control;
    control->kind = kind;
    control->route.prefix = prefix;
    control->route.worker = worker;
    control->route.completed = kind == JOB_CLOSE ? close_completed : resolve_completed;
    pool_push(prefix->router->pool, control);
}

static void begin_resolve(struct open_prefix *prefix)
{
    prefix->state = PREFIX_OPENING;
    prefix->control.route.create = prefix->parked->kind == JOB_APPEND;
    push_control(prefix, JOB_RESOLVE,
                 open_prefix_owner(prefix, 0, pool_workers(prefix->router->pool)));
}

/* Serves the parked jobs in order until one has to wait; frees the entry if nothing keeps it. */
static void drain_parked(struct open_prefix *prefix)
{
    while (prefix->parked != NULL &&
           (prefix->state == PREFIX_SHUT || prefix->state == PREFIX_OPEN)) {
        struct job *job = prefix->parked;
        if (prefix->state == PREFIX_SHUT && job->kind != JOB_CLOSE) {
            begin_resolve(prefix);
            return;
        }
        unpark(prefix);
        if (job->kind == JOB_CLOSE)
            begin_close(prefix, job);
        else
            dispatch(prefix, job);
    }
    if (prefix->state == PREFIX_SHUT)
        remove_prefix(prefix);
}

static struct open_prefix *find_prefix(struct router *router, const char *name)
{
    struct open_prefix *prefix;
    size_t bytes = strlen(name);
    uint64_t hash = XXH3_64bits(name, bytes);
    HASH_FIND_BYHASHVALUE(hh, router->prefixes, name, bytes, (unsigned)hash, prefix);
    if (prefix != NULL)
        return prefix;
    prefix = open_prefix_new(router, name, bytes, hash);
    if (prefix == NULL)
        return NULL;
    HASH_ADD_BYHASHVALUE(hh, router->prefixes, name, bytes, (unsigned)hash, prefix);
    if (prefix->hh.tbl == NULL) {
        open_prefix_free(prefix);
        return NULL;
    }
    return prefix;
}

void router_submit(struct router *router, const char *name, struct job *job)
{
    job->error = 0;
    job->more = false;
    job->route.prefix = NULL;
    job->has_bucket = false;
    router->in_flight++;
    struct open_prefix *prefix = find_prefix(router, name);
    if (prefix == NULL) {
        complete(router, job, -ENOMEM);
        return;
    }
    if (prefix->state == PREFIX_OPEN && job->kind != JOB_CLOSE) {
        dispatch(prefix, job);
        return;
    }
    if (router->parked >= router->max_parked) {
        complete(router, job, JOB_TOO_MANY_IN_FLIGHT);
    } else {
        router->parked++;
        job->route.next = NULL;
        *prefix->parked_end = job;
        prefix->parked_end = &job->route.next;
    }
    drain_parked(prefix);
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

bool router_overdue(const struct job *job)
{
    const struct open_prefix *prefix = job->route.prefix;
    return prefix->state == PREFIX_DRAINING &&
           clock_monotonic_s() - prefix->draining_since >= ROUTER_CLOSE_SECONDS;
}

unsigned router_prefix_buckets(const struct job *job)
{
    return job->route.prefix != NULL ? job->route.prefix->buckets : 0;
}

void *router_prefix_data(const struct job *job)
{
    return job->route.prefix != NULL ? job->route.prefix->data : NULL;
}

int router_set_prefix_data(const struct job *job, void *data, void (*free_data)(void *data))
{
    if (job->route.prefix == NULL)
        return -EINVAL;
    open_prefix_set_data(job->route.prefix, data, free_data);
    return 0;
}

unsigned router_in_flight(const struct router *router)
{
    return router->in_flight;
}

void router_deliver(struct router *router)
{
    struct job *job = router->completed, *next;
    router->completed = NULL;
    router->completed_end = &router->completed;
    for (; job != NULL; job = next) {
        next = job->route.next;
        deliver(router, job);
    }
}

bool router_may_sleep(const struct router *router)
{
    return router->completed == NULL;
}
