/*
 * listing: what is in a root.
 *
 * Any thread; a listing belongs to one. Errors: 0 or -errno.
 */
#ifndef ROCHEFORT_STORE_LISTING_H
#define ROCHEFORT_STORE_LISTING_H

#include <dirent.h>
#include <stdbool.h>

/* Opens a directory once more, to list it; the caller closes it. */
int listing_open(int directory_fd, DIR **out);

/* A directory that a prefix could be, or is. The one of ext4 is none. */
bool listing_may_be_prefix(int root_fd, const struct dirent *entry);

#endif
