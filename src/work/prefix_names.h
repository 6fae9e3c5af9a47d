/*
 * prefix_names: sees to it that a prefix is found again after a power cut, before the first append
 * to it is reported as synced.
 *
 * All its bucket files, MANIFEST and the directory are synced, then the root, see prefix_sync.h;
 * once from the opening of the prefix to its close, and again when files of it were made anew.
 * Syncs of buckets that come meanwhile wait in a list, not on a thread: a file that hangs takes one
 * thread, however many wait for it. The bucket files are shared out among the threads that are
 * free, a few at a time: a disk does several syncs at once in little more time than one.
 *
 * Functions are for the sync threads, or for those that are named. What several threads touch is
 * guarded by one lock for all prefixes, held for a few instructions.
 */
#ifndef ROCHEFORT_WORK_PREFIX_NAMES_H
#define ROCHEFORT_WORK_PREFIX_NAMES_H

#include <stdbool.h>

#include "store/root.h"
#include "work/sync_pool.h"

struct names_lock;

/* The sync of a bucket, which waits for the names of its prefix. */
struct names_waiter {
    struct sync_work work; /* first */
    int error;             /* 0: call prefix_names_sync again. Otherwise that of the names */
    bool failed;           /* it is that of a sync */
};

/* Part of a prefix in use. Zeroed but for `prefix` and `buckets` it is ready: nothing is synced. */
struct prefix_names {
    struct sync_work
        work; /* of its bucket files, a few at a time; then of its directory; the root */
    struct names_lock *all;
    const char *prefix; /* its name, for as long as this is used */
    unsigned buckets;
    unsigned made, synced; /* how often files were made anew; how often of that is on the disk */
    unsigned covered;      /* the value of `made` for which the sync under way is good */
    bool was_synced, refused, under_way;
    bool failed; /* of the files at hand, some sync; and the first error */
    int error;
    unsigned taken, done; /* bucket files */
    struct sync_work *waiting, **waiting_end;
};

/* Loop thread. What the names of all prefixes share. NULL when out of memory. */
struct names_lock *names_lock_new(const struct root *root, struct sync_pool *pool);
void names_lock_free(struct names_lock *all);

/*
 * True if the names are on the disk, or if it is known that they will not be: then waiter->error is
 * not 0, STORE_SYNC_REFUSED if the sync had failed before. False: `run` of the waiter will be
 * called when they are, with its error set.
 */
bool prefix_names_sync(struct names_lock *all, struct prefix_names *names,
                       struct names_waiter *waiter);

/* Worker threads: files of the prefix were made anew, or replaced. */
void prefix_names_made(struct names_lock *all, struct prefix_names *names);

#endif
