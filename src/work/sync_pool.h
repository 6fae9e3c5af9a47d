/*
 * sync_pool: the threads on which syncs run.
 *
 * A sync can take seconds, and on a broken disk may never return. Workers must not wait for it, so
 * they hand it to one of these threads. There are a few, so syncs of several files run at once: the
 * disk does them together. Idle threads sleep.
 *
 * A work is run by one thread, in the order in which it was pushed. Until `run` is called it
 * belongs to the pool, from then on to `run`, which may push it again.
 *
 * The queue has a lock, which is held for a few instructions: each work costs at least one write to
 * the disk, and nothing that does without a sync comes here. What was written before the push is
 * seen by `run`: unlocking in the one is a release and locking in the other the acquire.
 */
#ifndef ROCHEFORT_WORK_SYNC_POOL_H
#define ROCHEFORT_WORK_SYNC_POOL_H

#define SYNC_POOL_THREADS_MAX 64

struct sync_pool;

/* Part of something larger, from which `run` finds what there is to do. */
struct sync_work {
    struct sync_work *next; /* in whatever list it is */
    void (*run)(struct sync_work *work);
};

/* Loop thread. Starts 1 to SYNC_POOL_THREADS_MAX threads. 0 or -errno. */
int sync_pool_start(unsigned threads, struct sync_pool **out);

/* Loop thread. Waits until all that was pushed has run, joins the threads and frees the pool. NULL
 * is ignored. */
void sync_pool_stop(struct sync_pool *pool);

/* Any thread. */
void sync_pool_push(struct sync_pool *pool, struct sync_work *work);

#endif
