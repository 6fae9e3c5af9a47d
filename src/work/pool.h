/*
 * pool: the hand-over between the loop thread and the workers.
 *
 *              ring in                     ring out
 *   loop  --- push -----> worker 0 --- push -----> loop
 *         --- push -----> worker 1 --- push ----->
 *         ...one ring each way for each worker, one producer, one consumer
 *
 * An iteration of the loop: handle what epoll reports, pushing jobs as requests
 * come in; collect completed jobs; then wake those workers that were given
 * something and sleep. A worker drains its ring, completes what it can, then
 * signals the loop's eventfd, but only if the loop has said that it is about
 * to sleep. So each side pays at most one wake-up for a burst. A few jobs wait
 * for one more iteration, which does not sleep: it may bring more of the burst.
 *
 * For a single client both sides spin before they sleep, see single_client.h.
 *
 * Admission: each worker has at most `max_in_flight` requests in flight, and
 * its rings have room for all of them and for one control message for each
 * parked request. So a push never fails.
 *
 * All functions are for the loop thread.
 */
#ifndef ROCHEFORT_WORK_POOL_H
#define ROCHEFORT_WORK_POOL_H

#include <stdbool.h>

#include "store/root.h"
#include "store/slots.h"
#include "work/job.h"
#include "work/sync_pool.h"
#include "work/worker_counts.h"

#define POOL_WORKERS_MAX 64
#define POOL_IN_FLIGHT_MAX 65536

struct pool;

struct pool_options {
    const struct root *root;   /* outlives the pool */
    unsigned workers;          /* 1 .. POOL_WORKERS_MAX */
    unsigned max_in_flight;    /* for each worker, 1 .. POOL_IN_FLIGHT_MAX */
    unsigned buckets_if_new;   /* for prefixes that are created from now on */
    struct slots slots_if_new; /* for the same */
    unsigned max_files;        /* open at a time, of all workers together; at least one of each */
    unsigned sync_threads;     /* 1 .. SYNC_POOL_THREADS_MAX */
    int sync_after_ms;         /* see sync_schedule.h */
    void (*notice)(const char *line); /* worker threads: a line for the log; may be NULL */
    /* Worker threads, while they end: syncs are owed, and one of them ends within so many seconds
     * or they are given up. Again after each. May be NULL. */
    void (*syncs_owed)(unsigned seconds);
};

/* Starts the threads. 0 or -errno. */
int pool_start(const struct pool_options *options, struct pool **out);

/*
 * Lets the workers finish what they have, the syncs that are owed included, joins and frees them.
 * NULL is ignored. 0, or the first error of these syncs and of closing the files; the log has a
 * line for each. -ETIMEDOUT: some syncs hang, says the log; no more syncs ended for as long as
 * WORKER_LAST_SYNC_SECONDS. Then nothing is freed, since the threads are still there: all that is
 * left to do is to end the process.
 */
int pool_stop(struct pool *pool);

const struct root *pool_root(const struct pool *pool);
unsigned pool_workers(const struct pool *pool);
unsigned pool_max_in_flight(const struct pool *pool); /* for each worker */
const struct slots *pool_slots_if_new(const struct pool *pool);

unsigned pool_in_flight(const struct pool *pool, unsigned worker);
const struct worker_counts *pool_counts(const struct pool *pool, unsigned worker);

/* An eventfd that becomes readable when a worker wakes the loop. Watch it edge-triggered: it is
 * never read. */
int pool_event_fd(const struct pool *pool);

/* Counts a request as in flight on a worker. False: the worker has too many. */
bool pool_admit(struct pool *pool, unsigned worker);
void pool_release(struct pool *pool, unsigned worker);

/* Hands a job to job->route.worker. A request must have been admitted. */
void pool_push(struct pool *pool, struct job *job);

/* Calls `completed` of every job that is completed by now; what comes meanwhile is for the next
 * iteration. */
void pool_collect(struct pool *pool);

/* Wakes the workers that were given something, unless a few jobs came in this very iteration. To be
 * called at the end of each; pool_may_sleep knows about workers that were not woken. */
void pool_wake(struct pool *pool);

/* `synced` is called by pool_collect when workers have set bits of open_prefix.synced. */
void pool_on_synced(struct pool *pool, void (*synced)(void *argument), void *argument);

/* Has the workers give back what is free of their memory, see heap.h; they are woken by the next
 * pool_wake. */
void pool_trim(struct pool *pool);

/* Before the loop sleeps: false if jobs wait to be collected or workers to be woken, then it must
 * not. Spins if a single client waits. */
bool pool_may_sleep(struct pool *pool);

/* After the loop has slept. */
void pool_awake(struct pool *pool);

#endif
