/*
 * file_cache: the bucket files that one worker has open.
 *
 * A file is opened when it is first needed and stays open, up to a limit. Over
 * that, or if the process (EMFILE) or the system (ENFILE) has no descriptor left,
 * the least recently used one is suspended: its descriptor is closed, and opened
 * again when it is needed. If the file is then as it was left nothing else is done.
 * A file that has to be synced is synced before its descriptor is closed.
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

struct file_cache {
    const struct root *root;
    struct sync_schedule *schedule;
    unsigned limit, open;
    void (*notice)(const char *line); /* what opening has mended or found wrong; may be NULL */
    struct bucket_slot *newest, *oldest;
};

/* `root` and `schedule` outlive it. At least one file can be open, whatever the limit says. */
void file_cache_init(struct file_cache *cache, const struct root *root,
                     struct sync_schedule *schedule, unsigned limit,
                     void (*notice)(const char *line));

/*
 * Makes sure that the bucket of a slot is open, for appending too if `writable`. It stays so until
 * the next call of any of these functions. 0 or an error: see bucket_open and prefix_complete;
 * STORE_FILES_MISSING also if with `writable` only this file is missing.
 */
int file_cache_open(struct file_cache *cache, struct open_prefix *prefix, unsigned bucket,
                    bool writable);

/*
 * As file_cache_open, for an append that is or will be synced: the file's name is on the disk then.
 * STORE_SYNC_REFUSED: an earlier sync has failed. `*of_sync`: the error is that of a sync.
 */
int file_cache_open_to_sync(struct file_cache *cache, struct open_prefix *prefix, unsigned bucket,
                            bool *of_sync);

/* Makes the sync that the bucket of a slot still needs, if one: no append will follow. */
void file_cache_finish(struct file_cache *cache, struct bucket_slot *slot);

/* Closes the bucket of a slot for good; nothing happens if it is not open. */
void file_cache_close(struct file_cache *cache, struct bucket_slot *slot);

/* After `error`: true if there was no descriptor left and one was closed, so try again. */
bool file_cache_free_descriptor(struct file_cache *cache, int error);

#endif
