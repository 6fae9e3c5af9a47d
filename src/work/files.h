/*
 * files: the bucket files that one worker has open.
 *
 * A file is opened when it is first needed and stays open, so many at a time.
 * Over that, or if the process (EMFILE) or the system (ENFILE) has no
 * descriptor left, the one that was not used for longest is closed; it is opened
 * again when it is needed, and if it is as it was left nothing else is done.
 *
 * It also knows which of them were promised to be synced, and by when: with
 * `sync_after_ms` over 0 what was appended is on the disk so long after it, and
 * the time that the disk takes, at the latest. A file is never closed before.
 *
 * A sync that failed is not tried again, see bucket_sync. What it was for is
 * refused until the prefix is closed: all appends whose sync was promised.
 *
 * Belongs to the worker's thread. It keeps its lists in the slots of the open
 * prefixes; see open_prefix.h on who may touch them.
 */
#ifndef ROCHEFORT_WORK_FILES_H
#define ROCHEFORT_WORK_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "store/root.h"
#include "work/open_prefix.h"

struct files {
    const struct root *root;
    unsigned limit, open;
    int sync_after_ms; /* -1: only what asks for it is synced; 0: each append before its answer */
    void (*notice)(const char *line); /* what opening has mended or found wrong; may be NULL */
    struct bucket_slot *newest, *oldest;
    struct bucket_slot *unsynced, **unsynced_end; /* in the order of their first appends */
    unsigned unsynced_count, unsynced_due;        /* the first so many are to be synced now */
    uint64_t due_ns;                              /* CLOCK_MONOTONIC: when the others will be */
};

void files_init(struct files *files, const struct root *root, unsigned limit, int sync_after_ms,
                void (*notice)(const char *line));

/*
 * Makes sure that the bucket of a slot is open, for appending too if `writable`. Stays so until the
 * next call of any of these functions. 0 or an error: see bucket_open and prefix_complete;
 * STORE_FILES_MISSING also if with `writable` only this file is missing.
 */
int files_open(struct files *files, struct open_prefix *prefix, unsigned bucket, bool writable);

/*
 * As files_open, for an append that is or will be synced: its name is on the disk then.
 * STORE_SYNC_REFUSED: an earlier sync has failed. `*of_sync`: the error is that of a sync.
 */
int files_open_to_sync(struct files *files, struct open_prefix *prefix, unsigned bucket,
                       bool *of_sync);

/* Syncs the bucket of a slot. 0 or -errno: then the log was told, and it is refused from now on. */
int files_sync(struct files *files, struct bucket_slot *slot);

/* Something was appended to the bucket of a slot and not synced: with an interval it will be. */
void files_appended(struct files *files, struct bucket_slot *slot);

/* CLOCK_MONOTONIC: when files_sync_due has something to do; 0 if nothing waits for it. */
uint64_t files_due_ns(const struct files *files);

/* Syncs one bucket whose time has come, if there is one. */
void files_sync_due(struct files *files);

/* Syncs all that wait for it. */
void files_sync_all(struct files *files);

/* Closes the bucket of a slot for good; nothing happens if it is not open. */
void files_close(struct files *files, struct bucket_slot *slot);

/* After `error`: true if it was for want of a descriptor and one was given up, so try again. */
bool files_give_up_one(struct files *files, int error);

#endif
