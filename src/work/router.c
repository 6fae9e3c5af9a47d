#include "work/router.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#include "store/bucket.h"
#include "work/open_prefix.h"

struct router {
    struct pool *pool;
    struct open_prefix *prefixes; /* hash table by name */
    unsigned max_parked, parked;
    unsigned in_flight;
    struct job *ready, **ready_end; /* done without a worker, to be told at the next collect */
};

static void drain_parked(struct open_prefix *prefix);

int router_start(const struct pool_options *options, struct router **out)
{
    struct router *router = calloc(1, sizeof(*router));
    if (router == NULL)
        return -ENOMEM;
    router->max_parked = options->max_in_flight;
    router->ready_end = &router->ready;
    int error = pool_start(options, &router->pool);
    if (error != 0) {
        free(router);
        return error;
    }
    *out = router;
    return 0;
}

static void drop_data(struct open_prefix *prefix)
{
    if (prefix->free_data != NULL)
        prefix->free_data(prefix->data);
    prefix->data = NULL;
    prefix->free_data = NULL;
}

static void free_prefix(struct router *router, struct open_prefix *prefix)
{
    HASH_DEL(router->prefixes, prefix);
    drop_data(prefix);
    free(prefix->slots);
    free(prefix);
}

void router_stop(struct router *router)
{
    if (router == NULL)
        return;
    assert(router->in_flight == 0);
    pool_stop(router->pool); /* from here on this thread owns the slots */
    struct open_prefix *prefix, *next;
    HASH_ITER (hh, router->prefixes, prefix, next) {
        for (unsigned i = 0; prefix->slots != NULL && i < prefix->buckets; i++)
            bucket_close(prefix->slots[i].bucket);
        free_prefix(router, prefix);
    }
    free(router);
}

/* The answer is known; `done` is called at the next collect. */
static void answer(struct router *router, struct job *job, int error)
{
    job->error = error;
    job->route.next = NULL;
    *router->ready_end = job;
    router->ready_end = &job->route.next;
}

static void tell(struct router *router, struct job *job)
{
    router->in_flight--;
    job->done(job);
}

static void push_control(struct open_prefix *prefix, enum job_kind kind, unsigned worker);

static time_t monotonic_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* A job of the prefix is finished for good. */
static void leave(struct open_prefix *prefix, const struct job *job)
{
    pool_release(prefix->router->pool, job->route.worker);
    prefix->in_flight--;
    if (prefix->state == PREFIX_DRAINING && prefix->in_flight == 0) {
        prefix->state = PREFIX_CLOSING;
        push_control(prefix, JOB_CLOSE, 0);
    }
}

static void job_arrived(struct job *job)
{
    struct open_prefix *prefix = job->route.prefix;
    if (job->more) {
        job->done(job);
        return;
    }
    leave(prefix, job);
    tell(prefix->router, job);
}

/* Hands a request to the worker that owns its bucket. */
static void dispatch(struct open_prefix *prefix, struct job *job)
{
    struct pool *pool = prefix->router->pool;
    job->bucket = (unsigned)(job->id_hash % prefix->buckets);
    job->route.worker = open_prefix_owner(prefix, job->bucket, pool_workers(pool));
    if (!pool_admit(pool, job->route.worker)) {
        answer(prefix->router, job, -EBUSY);
        return;
    }
    job->has_bucket = true;
    job->route.prefix = prefix;
    job->route.arrived = job_arrived;
    prefix->in_flight++;
    pool_push(pool, job);
}

/* The state is PREFIX_SHUT or PREFIX_OPEN. */
static void begin_close(struct open_prefix *prefix, struct job *job)
{
    if (prefix->state == PREFIX_SHUT) {
        answer(prefix->router, job, 0);
        return;
    }
    prefix->closer = job;
    prefix->router->parked++; /* a waiting close counts, see pool.h on control messages */
    prefix->state = prefix->in_flight > 0 ? PREFIX_DRAINING : PREFIX_CLOSING;
    prefix->draining_since = monotonic_seconds();
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
        answer(prefix->router, job, error);
    }
}

static int make_slots(struct open_prefix *prefix)
{
    size_t bytes = prefix->buckets * sizeof(struct bucket_slot);
    prefix->slots = aligned_alloc(alignof(struct bucket_slot), bytes);
    if (prefix->slots == NULL)
        return -ENOMEM;
    memset(prefix->slots, 0, bytes);
    return 0;
}

static void resolve_arrived(struct job *control)
{
    struct open_prefix *prefix = control->route.prefix;
    int error = control->error;
    if (error == 0)
        error = make_slots(prefix);
    prefix->state = error == 0 ? PREFIX_OPEN : PREFIX_SHUT;
    if (error != 0)
        fail_parked(prefix, control->route.create, error);
    drain_parked(prefix);
}

static void close_arrived(struct job *control)
{
    struct open_prefix *prefix = control->route.prefix;
    struct router *router = prefix->router;
    if (control->route.worker + 1 < pool_workers(router->pool)) {
        push_control(prefix, JOB_CLOSE, control->route.worker + 1);
        return;
    }
    free(prefix->slots);
    prefix->slots = NULL;
    drop_data(prefix);
    prefix->names_error = 0;
    prefix->state = PREFIX_SHUT;
    answer(router, prefix->closer, 0);
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
    control->route.arrived = kind == JOB_CLOSE ? close_arrived : resolve_arrived;
    pool_push(prefix->router->pool, control);
}

static void resolve(struct open_prefix *prefix)
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
            resolve(prefix);
            return;
        }
        unpark(prefix);
        if (job->kind == JOB_CLOSE)
            begin_close(prefix, job);
        else
            dispatch(prefix, job);
    }
    if (prefix->state == PREFIX_SHUT)
        free_prefix(prefix->router, prefix);
}

static struct open_prefix *find_prefix(struct router *router, const char *name)
{
    struct open_prefix *prefix;
    size_t bytes = strlen(name);
    uint64_t hash = XXH3_64bits(name, bytes);
    HASH_FIND_BYHASHVALUE(hh, router->prefixes, name, bytes, (unsigned)hash, prefix);
    if (prefix != NULL)
        return prefix;
    prefix = calloc(1, sizeof(*prefix));
    if (prefix == NULL)
        return NULL;
    memcpy(prefix->name, name, bytes + 1);
    prefix->name_bytes = bytes;
    prefix->hash = hash;
    prefix->router = router;
    prefix->state = PREFIX_SHUT;
    prefix->parked_end = &prefix->parked;
    HASH_ADD_BYHASHVALUE(hh, router->prefixes, name, bytes, (unsigned)hash, prefix);
    if (prefix->hh.tbl == NULL) {
        free(prefix);
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
        answer(router, job, -ENOMEM);
        return;
    }
    if (prefix->state == PREFIX_OPEN && job->kind != JOB_CLOSE) {
        dispatch(prefix, job);
        return;
    }
    if (router->parked >= router->max_parked) {
        answer(router, job, -EBUSY);
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
    leave(job->route.prefix, job);
    router->in_flight--;
}

bool router_overdue(const struct job *job)
{
    const struct open_prefix *prefix = job->route.prefix;
    return prefix->state == PREFIX_DRAINING &&
           monotonic_seconds() - prefix->draining_since >= ROUTER_CLOSE_SECONDS;
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
    drop_data(job->route.prefix);
    job->route.prefix->data = data;
    job->route.prefix->free_data = free_data;
    return 0;
}

unsigned router_in_flight(const struct router *router)
{
    return router->in_flight;
}

int router_event_fd(const struct router *router)
{
    return pool_event_fd(router->pool);
}

void router_collect(struct router *router)
{
    pool_collect(router->pool);
    struct job *ready = router->ready, *next;
    router->ready = NULL; /* what comes meanwhile is for the next turn */
    router->ready_end = &router->ready;
    for (; ready != NULL; ready = next) {
        next = ready->route.next;
        tell(router, ready);
    }
}

bool router_may_sleep(struct router *router)
{
    return router->ready == NULL && pool_may_sleep(router->pool);
}

void router_awake(struct router *router)
{
    pool_awake(router->pool);
}

void router_wake(struct router *router)
{
    pool_wake(router->pool);
}
