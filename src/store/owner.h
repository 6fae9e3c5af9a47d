/*
 * owner: whether a file is the server's own.
 *
 * Asked for in a root that other users may write to, for instance /tmp: what
 * another user has put there under a name of ours is not to be used. A hard
 * link keeps the owner of its file.
 *
 * Any thread.
 */
#ifndef ROCHEFORT_STORE_OWNER_H
#define ROCHEFORT_STORE_OWNER_H

#include <stdbool.h>
#include <sys/stat.h>

/* Whether the effective user of this process owns it. */
bool owner_is_us(const struct stat *status);

/* Whether other users may make names in this directory. */
bool owner_is_shared(const struct stat *directory);

/* The error of an open that has failed with `error`, an errno: STORE_FOREIGN if it was not
 * permitted and another user owns what has that name in the directory, otherwise -errno. */
int owner_open_error(int directory_fd, const char *name, int error);

#endif
