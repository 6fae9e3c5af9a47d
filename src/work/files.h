/*
 * files: the bucket files that one worker has open.
 *
 * A file is opened when it is first needed and stays open, so many at a time.
 * Over that, or if the process (EMFILE) or the system (ENFILE) has no
 * descriptor left, the one that was not used for longest is closed; it is opened
 * again when it is needed, and if it is as it was left nothing else is done.
 *
 * Belongs to the worker's thread. It keeps its lists in the slots of the open
 * prefixes; see open_prefix.h on who may touch them.
 */
#ifndef ROCHEFORT_WORK_FILES_H
#define ROCHEFORT_WORK_FILES_H

#include <stdbool.h>

#include "store/root.h"
#include "work/open_prefix.h"

struct files {
    const struct root *root;
    unsigned limit, open;
    void (*notice)(const char *line); /* what opening has mended or found wrong; may be NULL */
    int64_t write_behind_bytes;       /* of the files that are opened for appending */
    struct bucket_slot *newest, *oldest;
};

/*
 * Makes sure that the bucket of a slot is open, for appending too if `writable`. Stays so until the
 * next call of any of these functions. 0 or -errno: see bucket_open and prefix_complete; -EUCLEAN
 * also if with `writable` only this file is missing.
 */
int files_open(struct files *files, struct open_prefix *prefix, unsigned bucket, bool writable);

/* Closes the bucket of a slot for good; nothing happens if it is not open. */
void files_close(struct files *files, struct bucket_slot *slot);

/* After `error`: true if it was for want of a descriptor and one was given up, so try again. */
bool files_give_up_one(struct files *files, int error);

#endif
