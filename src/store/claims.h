/*
 * claims: which name each directory in use has.
 *
 * Two names can lead to one directory: on a file system that does not tell upper
 * from lower case, or through a bind mount. Two prefixes would then append to the
 * same files, each with a tail of its own. So a directory belongs to the name
 * that it was first opened by, until that name is released. Directories are told
 * apart by device and inode. A directory that was deleted, moved or replaced
 * belongs to its name no more, and an inode that is used again is no conflict.
 *
 * Any thread; a lock inside, which is not held during calls to the kernel.
 * Errors: 0, -errno or one of store/error.h.
 */
#ifndef ROCHEFORT_STORE_CLAIMS_H
#define ROCHEFORT_STORE_CLAIMS_H

#include <limits.h>
#include <sys/types.h>

struct claims;

/* Free with claims_free. */
int claims_new(struct claims **out);
void claims_free(struct claims *claims); /* NULL is ignored */

/*
 * For a directory that was just opened by this name below `root_fd`. The name gives up the
 * directory that it had before. STORE_SAME_DIRECTORY: another name has it.
 */
int claims_take(struct claims *claims, int root_fd, const char *name, dev_t device, ino_t inode);

/* Nothing is in use by this name any more. */
void claims_release(struct claims *claims, const char *name);

/* The name that a directory belongs to, or "". */
void claims_holder(struct claims *claims, dev_t device, ino_t inode, char out[NAME_MAX + 1]);

#endif
