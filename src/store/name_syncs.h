/*
 * name_syncs: syncs of the names in the root's directory, and of the root's own.
 *
 * The directories that were made for the root are each a name in the one above, so these are synced
 * with it. An fsync that failed is never tried again: the kernel reports an error once, so the
 * second call could succeed with nothing written. Two threads do not sync a directory at a time
 * either: the error would be reported to one of them, and the other would take the names for
 * synced.
 *
 * Owned by the root (root.h). Any thread, but for what begins and ends it. Errors: 0, -errno or one
 * of store/error.h.
 */
#ifndef ROCHEFORT_STORE_NAME_SYNCS_H
#define ROCHEFORT_STORE_NAME_SYNCS_H

#include <stdbool.h>

struct name_syncs;

int name_syncs_new(struct name_syncs **out);

/* NULL is ignored. */
void name_syncs_free(struct name_syncs *syncs);

/* Syncs the names of the root's directory and of those above it, so many in all, that were made for
 * it: at once, since after a restart it would not be known that they are new. An error matters to
 * the first name_syncs_run. */
void name_syncs_begin(struct name_syncs *syncs, int root_fd, unsigned made);

/* As root_sync_names. */
int name_syncs_run(struct name_syncs *syncs, int root_fd, bool *failed);

/* Whether one of the fsyncs has failed. */
bool name_syncs_failed(const struct name_syncs *syncs);

/* Syncs the names in a directory. A file system that cannot do so (EINVAL) has nothing to sync
 * there. 0 or -errno. */
int name_syncs_directory(int directory_fd);

#endif
