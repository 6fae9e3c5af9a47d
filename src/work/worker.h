/*
 * worker: one disk thread, which gets jobs through its mailbox.
 *
 * It owns the buckets that open_prefix_owner gives it: their descriptors and
 * tails are known to no other thread. A drain of its mailbox takes what is there
 * and works in this order:
 *
 *   1 syncs that have ended: their appends are answered
 *   2 reads that the page cache can answer at once, up to one piece of each; of
 *     all getMultis in the drain together READER_QUOTA
 *   3 all appends that need no sync, one write for each bucket
 *   4 appends that are to be synced, one write for each bucket; their syncs, and
 *     those whose time has come, begin on the sync threads
 *   5 one of the other reads: its next piece, or, for a getMulti, as much as one
 *     quota allows; if it has to wait for the disk, one batch of offsets
 *   6 64 of the files of a new prefix, if some are to be made
 *
 * So an append waits for one step 5, for one step 6, and for the cached reads that came
 * with it; and if its bucket is being synced, for the end of that. The quota bounds the
 * getMultis among these, however many there are and however many values they ask for: less
 * than two pieces, at most 1024 values. Those over it are read in step 5, in order, one in
 * each drain.
 *
 * Appends to one bucket keep their order, but those that are to be synced come
 * after the others that are written with them. A worker ends with the syncs that
 * are left, and closes its files.
 *
 * All functions are for the loop thread.
 */
#ifndef ROCHEFORT_WORK_WORKER_H
#define ROCHEFORT_WORK_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/root.h"
#include "store/slots.h"
#include "work/wake.h"

struct mailbox;
struct worker;
struct worker_counts;

struct worker_options {
    const struct root *root;
    unsigned index, workers;
    unsigned buckets_if_new;
    struct slots slots_if_new;
    unsigned max_files; /* see file_cache.h */
    int sync_after_ms;
    unsigned syncs_at_once; /* of those whose time has come; see sync_schedule.h */
    struct sync_pool *sync_pool;
    struct names_lock *names;
    void (*notice)(const char *line);     /* see pool.h */
    void (*syncs_owed)(unsigned seconds); /* see pool.h */
    size_t ring_capacity;
    struct sleeper *loop; /* the loop's flag, and the eventfd that wakes it */
    int loop_fd;
};

/* Starts the thread. 0 or -errno. */
int worker_start(const struct worker_options *options, struct worker **out);

/* How it gets jobs and gives them back, for the loop's side of it. The ring to it has room for
 * `ring_capacity` jobs: the caller has made sure that there is room. */
struct mailbox *worker_mailbox(struct worker *worker);

/* What it has done; lives as long as the worker. */
const struct worker_counts *worker_counts(const struct worker *worker);

/* No sync has ended for so long: a worker that ends does not wait for the others. */
#define WORKER_LAST_SYNC_SECONDS 30

/*
 * Lets the thread finish what was pushed, and joins it. 0, or the first error of the last syncs and
 * of closing the files; the log has a line for each. -ETIMEDOUT: some of its syncs hang, so it must
 * not be freed, nor what its files belong to. `*hung`: how many.
 */
int worker_join(struct worker *worker, unsigned *hung);

/* After worker_join and sync_pool_stop. NULL is ignored. */
void worker_free(struct worker *worker);

#endif
