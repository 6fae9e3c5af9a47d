/*
 * worker: one disk thread with its two rings.
 *
 * It owns the buckets that open_prefix_owner gives it: their descriptors and
 * tails are known to no other thread. A drain of its ring takes what is there
 * and works in this order:
 *
 *   1 reads that the page cache can answer at once, up to one piece of each; of
 *     all getMultis in the drain together READER_QUOTA
 *   2 all appends, one write for each bucket
 *   3 appends that are to be synced, one write and one sync for each bucket
 *   4 one sync whose time has come
 *   5 one of the other reads: its next piece, or, for a getMulti, as much as one
 *     quota allows; if it has to wait for the disk, one batch of offsets
 *   6 64 of the files of a new prefix, if some are to be made
 *
 * So an append waits for one step 5, for one step 6, and for the cached reads that came
 * with it. The quota bounds the getMultis among these, however many there are and however
 * many values they ask for: less than two pieces, at most 1024 values. Those over it are
 * read in step 5, in order, one in each drain.
 *
 * Appends to one bucket keep their order, but those that are to be synced come
 * after the others of the drain. A worker ends with the syncs that are left.
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
    unsigned max_files; /* see file_cache.h */
    int sync_after_ms;
    void (*notice)(const char *line); /* see pool.h */
    size_t ring_capacity;
    struct sleeper *loop; /* the loop's flag, and the eventfd that wakes it */
    int loop_fd;
};

/* Starts the thread. 0 or -errno. */
int worker_start(const struct worker_options *options, struct worker **out);

/* Hands a job over. The caller has made sure that there is room: otherwise the program ends, since
 * the job's request would never get a reply. */
void worker_push(struct worker *worker, struct job *job);

/* Wakes the thread if something was pushed since the last call and it sleeps. */
void worker_wake(struct worker *worker);

/* How many completed jobs are to be collected, and the next of them. */
size_t worker_completed(const struct worker *worker);
struct job *worker_pop(struct worker *worker);

/* Lets the thread finish what was pushed, joins and frees it. NULL is ignored. */
void worker_stop(struct worker *worker);

#endif
