/*
 * worker: one disk thread with its two rings.
 *
 * It owns the buckets that open_prefix_owner gives it: their descriptors and
 * tails are known to no other thread. It takes what it finds in its ring, then
 * works in this order: short reads that the page cache can answer at once; all
 * appends, one write for each bucket; those that are to be synced, one write
 * and one sync for each bucket; one sync whose time has come; then one piece of
 * a longer read, or one read that has to wait for the disk (of a getMulti, a
 * window of them), and the ring again. So an append waits for one such turn at
 * most. Appends to one bucket keep their order, but those that are to be synced
 * come after the others of the turn. It ends with the syncs that are left.
 *
 * All functions are for the loop thread.
 */
#ifndef ROCHEFORT_WORK_WORKER_H
#define ROCHEFORT_WORK_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/root.h"
#include "work/job.h"
#include "work/wake.h"

struct worker;

struct worker_options {
    const struct root *root;
    unsigned index, workers;
    unsigned buckets_if_new;
    unsigned max_files; /* see files.h */
    int sync_after_ms;
    void (*notice)(const char *line); /* see pool.h */
    size_t ring_capacity;
    struct sleeper *loop; /* the loop's flag, and the eventfd that wakes it */
    int loop_fd;
};

/* Starts the thread. 0 or -errno. */
int worker_start(const struct worker_options *options, struct worker **out);

/* Hands a job over. The caller has made sure that there is room. */
void worker_push(struct worker *worker, struct job *job);

/* Wakes the thread if something was pushed since the last call and it sleeps. */
void worker_wake(struct worker *worker);

/* How many answered jobs wait, and the next of them. */
size_t worker_answers(const struct worker *worker);
struct job *worker_pop(struct worker *worker);

/* Lets the thread finish what was pushed, joins and frees it. NULL is ignored. */
void worker_stop(struct worker *worker);

#endif
