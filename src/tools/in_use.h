/*
 * in_use: whether a server has the root of some files, by its lock file.
 *
 * Makes no lock file: a root without one was never used. One thread.
 */
#ifndef ROCHEFORT_TOOLS_IN_USE_H
#define ROCHEFORT_TOOLS_IN_USE_H

#include <stdbool.h>

/* Whether a rochefort uses the root that the file or directory at `path` belongs to. */
bool in_use_now(const char *path);

/* The locks of the roots that a directory is, or is a prefix of. */
struct in_use_lock {
    int fds[2]; /* -1: none */
};

/*
 * Keeps servers from using a directory until in_use_unlock, which is called in any case.
 * -EWOULDBLOCK: one uses it now. Or another -errno: that cannot be told.
 */
int in_use_lock(const char *directory, struct in_use_lock *lock);
void in_use_unlock(struct in_use_lock *lock);

#endif
