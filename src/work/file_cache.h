/*
 * file_cache: the bucket files that one worker has open.
 *
 * A file is opened when it is first needed and stays open, up to a limit. Over
 * that, or if the process (EMFILE) or the system (ENFILE) has no descriptor left,
 * the least recently used one is suspended: its descriptor is closed, and opened
 * again when it is needed. If the file is then as it was left nothing else is done.
 *
 * A file that is owed a sync is synced before its descriptor is closed, and that takes
 * time: others are closed first, and if there are none the caller has to wait.
 * Nor is one closed that is being synced.
 *
 * Belongs to the worker's thread. Its list is in the slots of the open prefixes;
 * see open_prefix.h on who may touch them.
 */
#ifndef ROCHEFORT_WORK_FILE_CACHE_H
#define ROCHEFORT_WORK_FILE_CACHE_H

#include <stdbool.h>

#include "store/root.h"
#include "work/open_prefix.h"
#include "work/sync_schedule.h"

/* Errors beside those of store/error.h. */
enum {
    FILE_CACHE_WAIT = -6001,   /* nothing is wrong: try again when a sync has ended */
    FILE_CACHE_DELETED = -6002 /* the directory was deleted: close the prefix and open it again; or,
                                * if somebody else writes to the root, replaced */
};

struct file_cache {
    const struct root *root;
    struct sync_schedule *schedule;
    struct names_lock *names; /* learns of files that are made anew; NULL in a test */
    unsigned limit, open;
    void (*notice)(const char *line);    /* what opening has mended or found wrong; may be NULL */
    struct bucket_slot *newest, *oldest; /* of those that are not being synced */
    bool must_wait; /* file_cache_free_descriptor has found none that can be closed at once */
};

/* `root` and `schedule` outlive it. At least one file can be open, whatever the limit says. */
void file_cache_init(struct file_cache *cache, const struct root *root,
                     struct sync_schedule *schedule, unsigned limit,
                     void (*notice)(const char *line));

/*
 * Makes sure that the bucket of a slot is open, for appending too if `writable`. It stays so until
 * the next call of any of these functions. 0 or an error: see bucket_open; with `writable`, if the
 * file is missing, FILE_CACHE_DELETED or, if others are there, what prefix_find says or
 * STORE_FILES_MISSING; FILE_CACHE_WAIT.
 */
int file_cache_open(struct file_cache *cache, struct open_prefix *prefix, unsigned bucket,
                    bool writable);

/*
 * The same for reading what is there now, also if somebody else writes to the root: then the end of
 * the file is looked for. FILE_CACHE_DELETED: it is another file now, or its prefix is another one.
 * Two calls to the kernel then, otherwise none.
 */
int file_cache_open_current(struct file_cache *cache, struct open_prefix *prefix, unsigned bucket);

/* Whether the prefix still is what it was when it was opened: 0 or FILE_CACHE_DELETED, or -errno.
 * Always 0 if nobody else writes to the root. */
int file_cache_check_prefix(const struct file_cache *cache, const struct open_prefix *prefix);

/* A bucket file is missing, and there is nothing to be appended. STORE_NO_PREFIX: so is the whole
 * directory; or what prefix_find says, or STORE_FILES_MISSING. */
int file_cache_explain_missing(const struct file_cache *cache, const struct open_prefix *prefix);

/* While the bucket of a slot, which is open, is being synced: between these two it stays open. */
void file_cache_pin(struct file_cache *cache, struct bucket_slot *slot);
void file_cache_unpin(struct file_cache *cache, struct bucket_slot *slot);

/*
 * Closes the bucket of a slot for good; nothing happens if it is not open. 0, the error of
 * close(2), or FILE_CACHE_WAIT: it is being synced, or is owed a sync, which is the next now; it
 * stays open.
 */
int file_cache_close(struct file_cache *cache, struct bucket_slot *slot);

/* At the end, when no sync is under way or owed: closes all that are open. 0 or the error of the
 * first close(2) that has failed; the log has a line for each. */
int file_cache_close_all(struct file_cache *cache);

/* A line in the log: close(2) has failed. */
void file_cache_report_close(const struct file_cache *cache, const struct bucket_slot *slot,
                             int error);

/* After `error`: true if there was no descriptor left and one was closed, so try again. */
bool file_cache_free_descriptor(struct file_cache *cache, int error);

/* After that has returned false: `error`, or FILE_CACHE_WAIT if a sync will make it possible. */
int file_cache_wait_or(const struct file_cache *cache, int error);

#endif
