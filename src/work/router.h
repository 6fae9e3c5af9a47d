/*
 * router: which worker a request goes to, and when.
 *
 * Which bucket an id has depends on the prefix's own number of buckets and hash
 * of ids, which only its MANIFEST knows. So the first request on a prefix makes
 * the router ask a worker to resolve it; requests that come meanwhile are
 * parked and follow in order. From then on each request goes straight to the
 * worker that owns its bucket.
 *
 * A close waits until everything accepted before it on the prefix is done,
 * replies in pieces included. What is accepted after it is parked until the
 * appends before it are done and the workers have closed their files, and opens
 * the prefix anew; it does not wait for the replies in pieces. How long these
 * take is up to their clients, so after a while they are overdue, and the sender
 * has to abandon them.
 *
 * All functions are for the loop thread.
 */
#ifndef ROCHEFORT_WORK_ROUTER_H
#define ROCHEFORT_WORK_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

#include "work/job.h"
#include "work/pool.h"
#include "work/scan_waits.h"

/* So long a close waits for replies in pieces. */
#define ROUTER_CLOSE_SECONDS 10

struct router;

/*
 * NULL when out of memory. All jobs go to `pool`, and no others may. Over `max_open_prefixes` those
 * are closed that no request is in flight for, the least recently used first; but not one with a
 * file whose sync has failed, since its appends are to be refused until somebody asks for a close.
 */
struct router *router_new(struct pool *pool, unsigned max_open_prefixes);

/* After pool_stop, with nothing in flight: closes all files and frees everything. NULL is ignored.
 */
void router_free(struct router *router);

/*
 * Accepts a job on the prefix `name` (valid, NUL-terminated): `done` will be called, never from
 * inside this call. The job's memory and what it points at must stay until then.
 * job->error is then 0, what bucket_open, bucket_append or bucket_read returned, or -ENOMEM. If no
 * bucket was tried job->has_bucket is false and the error is JOB_TOO_MANY_IN_FLIGHT, -ENOMEM,
 * STORE_OTHER_SLOT (of the prefix, or of the pool if there is no such prefix) or
 * what prefix_find or prefix_make_files returned; job->bucket is then what the error is about.
 */
void router_submit(struct router *router, const char *name, struct job *job);

/*
 * Has a worker look at the list of values in `job->value`, before it is submitted as a
 * JOB_APPEND_MULTI: then `done` will be called, never from inside this call, with `values.found`
 * set. job->error is 0, JOB_TOO_MANY_IN_FLIGHT or -ENOMEM. No prefix knows of it meanwhile.
 */
void router_check_values(struct router *router, struct job *job);

/*
 * Has a worker look whether there is room for appends: then `done` will be called, never from
 * inside this call. job->error is what root_check_room has returned, or JOB_TOO_MANY_IN_FLIGHT.
 */
void router_check_room(struct router *router, struct job *job);

/*
 * Has a worker list prefixes into `job->prefixes`: then `done` will be called, never from inside
 * this call. job->error is what prefix_list_step has returned, or JOB_TOO_MANY_IN_FLIGHT.
 */
void router_list(struct router *router, struct job *job);

/* The name of a prefix that refuses appends because a sync has failed, until it is closed; NULL if
 * there is none. And whether a sync of the root has failed, which a restart alone ends. */
const char *router_sync_refused(const struct router *router);
bool router_root_sync_failed(const struct router *router);

/* After `done` with `more`: asks for the next piece, or says that it is not wanted. */
void router_resume(struct router *router, struct job *job);
void router_abandon(struct router *router, struct job *job);

/* After `done` with `more`: true if a close has waited for too long and the rest is not to be sent.
 */
bool router_overdue(const struct job *job);

/*
 * In `done` of a JOB_SCAN that is `at_end`: it waits, and is not in flight meanwhile. `woken` is
 * called by router_deliver when there is more, or the prefix was closed (job->scan.closed). Then it
 * may be submitted again. router_stop_waiting ends the wait; false if it is over, and `woken` is
 * about to be called.
 */
enum scan_waits_result router_wait(struct job *job, void (*woken)(struct job *job));
bool router_stop_waiting(struct router *router, struct job *job);

/*
 * In `done` of a JOB_SCAN that has waited, was woken and is refused with `no_slot`: it waits for
 * its turn, as above. `woken` is called when it may be submitted again, and may be refused again.
 */
void router_wait_turn(struct router *router, struct job *job, void (*woken)(struct job *job));

/* Jobs that were accepted and are not done. */
unsigned router_in_flight(const struct router *router);

unsigned router_open_prefixes(const struct router *router);
const struct pool *router_pool(const struct router *router);

/* Calls `done` of the jobs that were completed without a worker. Once in each iteration of the
 * loop, after pool_collect; what comes meanwhile is for the next iteration. */
void router_deliver(struct router *router);

/* False: such jobs wait, so the loop must not sleep. */
bool router_may_sleep(const struct router *router);

#endif
