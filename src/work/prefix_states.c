#include "work/prefix_states.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "store/error.h"
#include "work/router_state.h"

static void push_control(struct open_prefix *prefix, enum job_kind kind, unsigned worker);

/* Lets each worker close files. */
static void push_close(struct open_prefix *prefix, enum prefix_state state, enum job_close close)
{
    prefix->state = state;
    prefix->control.route.close = close;
    push_control(prefix, JOB_CLOSE, 0);
}

/* The next step of a close, if what it waits for is done. */
static void go_on_closing(struct open_prefix *prefix)
{
    if (prefix->state == PREFIX_DRAINING && prefix->appends == 0)
        push_close(prefix, PREFIX_SEALING,
                   prefix->in_flight > 0 ? JOB_CLOSE_UNREAD : JOB_CLOSE_ALL);
    else if (prefix->state == PREFIX_SEALED && prefix->in_flight == 0)
        push_close(prefix, PREFIX_CLOSING, JOB_CLOSE_ALL);
}

/* Closes prefixes that are not used, if too many are open. Each counts as a close that waits. */
static void close_idle(struct router *router)
{
    struct open_prefix *prefix;
    while (router->parked < router->max_parked &&
           (prefix = prefix_table_find_idle(&router->prefixes)) != NULL) {
        router->parked++;
        prefix_table_shut(&router->prefixes, prefix);
        scan_waits_close(&router->scan_waits, prefix);
        push_close(prefix, PREFIX_SEALING, JOB_CLOSE_HEALTHY);
    }
}

void prefix_states_job_finished(struct open_prefix *prefix)
{
    if (prefix->state != PREFIX_OPEN)
        go_on_closing(prefix);
    else if (prefix->in_flight == 0)
        close_idle(prefix->router);
}

/* It is completed when the prefix is closed. */
static void add_closer(struct open_prefix *prefix, struct job *job)
{
    prefix->router->parked++; /* a waiting close counts, see pool.h on control messages */
    job_list_add(&prefix->closers, job);
}

/* Its state is PREFIX_OPEN. */
static void begin_draining(struct open_prefix *prefix)
{
    prefix_table_shut(&prefix->router->prefixes, prefix);
    prefix->state = PREFIX_DRAINING;
    scan_waits_close(&prefix->router->scan_waits, prefix);
    prefix->draining_since = clock_monotonic_s();
}

void prefix_states_reopen(struct open_prefix *prefix)
{
    if (prefix->state == PREFIX_OPEN)
        begin_draining(prefix);
}

/* The state is PREFIX_SHUT or PREFIX_OPEN. */
static void begin_close(struct open_prefix *prefix, struct job *job)
{
    if (prefix->state == PREFIX_OPEN) {
        add_closer(prefix, job);
        begin_draining(prefix);
        go_on_closing(prefix);
    } else if (prefix->older != NULL) {
        add_closer(prefix->older, job);
    } else {
        router_complete_later(prefix->router, job, 0);
    }
}

static struct job *unpark(struct open_prefix *prefix)
{
    prefix->router->parked--;
    return job_list_pop(&prefix->parked);
}

/* Whether the prefix is made for it if it is missing: it would hold the slots of the pool. */
static bool creates(const struct open_prefix *prefix, const struct job *job)
{
    return job_creates(job) && job_is_held(job, pool_slots_if_new(prefix->router->pool));
}

static void fail_job(struct open_prefix *prefix, struct job *job, int error)
{
    struct router *router = prefix->router;
    const struct slots *if_new = pool_slots_if_new(router->pool);
    job->bucket = prefix->control.bucket; /* what the error is about */
    if (error == STORE_NO_PREFIX && !job_is_held(job, if_new)) {
        router_refuse_slot(router, job, if_new);
    } else if (error == STORE_NO_PREFIX && job_appends(job)) {
        job->offset = 0; /* which is not the end that it expects */
        router_complete_later(router, job, STORE_OTHER_END);
    } else {
        if (error == STORE_SAME_DIRECTORY)
            memcpy(job->small, prefix->control.small, PREFIX_NAME_BYTES_MAX + 1);
        router_complete_later(router, job, error);
    }
}

/* A resolve failed: so do the jobs it was made for. Appends get a resolve of their own. */
static void fail_parked(struct open_prefix *prefix, bool created, int error)
{
    const struct job *first;
    while ((first = prefix->parked.first) != NULL && first->kind != JOB_CLOSE &&
           (!creates(prefix, first) || created))
        fail_job(prefix, unpark(prefix), error);
}

/* Requests go to its workers from now on. */
static void open_for_requests(struct open_prefix *prefix)
{
    prefix->state = PREFIX_OPEN;
    prefix_table_open(&prefix->router->prefixes, prefix);
    struct router *router = prefix->router;
    prefix_states_serve(prefix);
    close_idle(router);
}

static void resolve_completed(struct job *control)
{
    struct open_prefix *prefix = control->route.prefix;
    int error = control->error;
    if (error == 0)
        error = open_prefix_make_slots(prefix);
    if (error == 0) {
        prefix->buckets_if_new = 0;
        open_for_requests(prefix);
    } else {
        prefix->state = PREFIX_SHUT;
        fail_parked(prefix, control->route.create, error);
        prefix_states_serve(prefix);
    }
}

/* Of a file of this generation, if there was one and none of a newer. */
static void set_close_error(const struct open_prefix *prefix, struct job *job)
{
    if (prefix->close_error == 0 || job->error != 0)
        return;
    job->error = prefix->close_error;
    job->sync = prefix->close_of_sync;
    job->bucket = prefix->close_bucket;
    job->has_bucket = true;
}

/* What closes wait for is done, unless an older generation is not closed yet. */
static void complete_closers(struct open_prefix *prefix)
{
    struct router *router = prefix->router;
    for (struct job *job = prefix->closers.first; job != NULL; job = job->route.next)
        set_close_error(prefix, job);
    if (prefix->older != NULL)
        job_list_move(&prefix->closers, &prefix->older->closers);
    while (prefix->closers.first != NULL) {
        router->parked--;
        struct job *job = job_list_pop(&prefix->closers);
        router_complete_later(router, job, job->error);
    }
}

/* Appends that have found the directory deleted come first, then the closes that wait for them,
 * then what has come since. */
static void requeue_appends(struct open_prefix *prefix)
{
    if (prefix->again.first == NULL)
        return;
    prefix->buckets_if_new = prefix->manifest.buckets;
    for (struct job *job = prefix->closers.first; job != NULL; job = job->route.next)
        set_close_error(prefix, job);
    job_list_move(&prefix->closers, &prefix->again);
    job_list_move(&prefix->parked, &prefix->again);
    job_list_move(&prefix->again, &prefix->parked);
}

/* All files are closed. The newest generation stays for what is parked. */
static void end_close(struct open_prefix *prefix)
{
    struct open_prefix *newest = prefix;
    requeue_appends(prefix);
    complete_closers(prefix);
    while (newest->newer != NULL)
        newest = newest->newer;
    if (newest == prefix) {
        open_prefix_reset(prefix);
        prefix->state = PREFIX_SHUT;
    } else {
        open_prefix_free(prefix);
    }
    prefix_states_serve(newest);
}

/* Its reads go on; requests that have come meanwhile are served by a new generation. */
static void end_sealing(struct open_prefix *prefix)
{
    prefix->state = PREFIX_SEALED;
    requeue_appends(prefix);
    if (prefix->parked.first != NULL) {
        struct open_prefix *newer = prefix_table_add_generation(&prefix->router->prefixes, prefix);
        while (newer == NULL && prefix->parked.first != NULL)
            router_complete_later(prefix->router, unpark(prefix), -ENOMEM);
        if (newer != NULL) {
            job_list_move(&prefix->parked, &newer->parked);
            newer->buckets_if_new = prefix->buckets_if_new;
            prefix_states_serve(newer);
        }
    }
    go_on_closing(prefix);
}

static void end_close_idle(struct open_prefix *prefix)
{
    prefix->router->parked--;
    prefix->close_error = 0; /* nobody has asked for it; the log has it */
    if (prefix->sync_refused)
        open_for_requests(prefix); /* the last sync of a file has failed: see job_close */
    else
        end_close(prefix);
}

static void close_completed(struct job *control)
{
    struct open_prefix *prefix = control->route.prefix;
    if (control->error != 0 && prefix->close_error == 0) {
        prefix->close_error = control->error;
        prefix->close_of_sync = control->sync;
        prefix->close_bucket = control->bucket;
    }
    if (control->route.worker + 1 < pool_workers(prefix->router->pool))
        push_control(prefix, JOB_CLOSE, control->route.worker + 1);
    else if (control->route.close == JOB_CLOSE_UNREAD)
        end_sealing(prefix);
    else if (control->route.close == JOB_CLOSE_HEALTHY)
        end_close_idle(prefix);
    else
        end_close(prefix);
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
    prefix->control.route.create = creates(prefix, prefix->parked.first);
    push_control(prefix, JOB_RESOLVE,
                 open_prefix_owner(prefix, 0, pool_workers(prefix->router->pool)));
}

void prefix_states_serve(struct open_prefix *prefix)
{
    while (prefix->parked.first != NULL &&
           (prefix->state == PREFIX_SHUT || prefix->state == PREFIX_OPEN)) {
        if (prefix->state == PREFIX_SHUT && prefix->parked.first->kind != JOB_CLOSE) {
            begin_resolve(prefix);
            return;
        }
        struct job *job = unpark(prefix);
        if (job->kind == JOB_CLOSE)
            begin_close(prefix, job);
        else
            router_dispatch(prefix, job);
    }
    if (prefix->state == PREFIX_SHUT && prefix->older == NULL) {
        root_release_directory(pool_root(prefix->router->pool), prefix->name);
        prefix_table_remove(&prefix->router->prefixes, prefix);
    }
}
