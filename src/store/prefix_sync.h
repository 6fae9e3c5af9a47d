/*
 * prefix_sync: what must be on the disk so that a prefix is found again after a power cut.
 *
 * A file is found again if its inode and its name are on the disk. Both take a sync of their own on
 * file systems without a journal: fsync of the file writes the inode, fsync of its directory the
 * name. And a prefix is found again only if all its bucket files are: see prefix.h. Order: the
 * files, then the directory, then the root with root_sync_names.
 *
 * Any thread, each file and each directory by one thread at a time: the kernel reports an error to
 * one caller only.
 *
 * Errors: 0, -errno or one of store/error.h. `*failed` is set if it is that of an fsync: such a
 * call must not be tried again, since the second one could succeed with nothing written. Other
 * errors, for instance too few descriptors (-EMFILE, -ENFILE), leave it false: another call may
 * succeed.
 */
#ifndef ROCHEFORT_STORE_PREFIX_SYNC_H
#define ROCHEFORT_STORE_PREFIX_SYNC_H

#include <stdbool.h>

#include "store/root.h"

/* Syncs the inode, and all else, of one bucket file. One that is missing has nothing to sync. */
int prefix_sync_file(const struct root *root, const char *name, unsigned bucket, bool *failed);

/* Syncs MANIFEST, if there is one, and the names in the directory. -ENOENT: it is missing. */
int prefix_sync_directory(const struct root *root, const char *name, bool *failed);

#endif
