/*
 * prefix_limit: whether one more prefix may be made in a root.
 *
 * A prefix takes a directory and a file for each of its buckets, and clients choose the
 * names. So one client could use up the inodes of the file system. There are two
 * limits: how many prefixes exist, and how many inodes are left when all files are made
 * that were promised to creations under way.
 *
 * How many exist is found by listing the root, when the first one is made, and kept from
 * then on. Directories that somebody else makes or deletes are noticed when the root is
 * listed again: after a minute, and at the limit after a second.
 *
 * Any thread; a lock inside, which is held while the root is listed.
 * Errors: 0, -errno or one of store/error.h.
 */
#ifndef ROCHEFORT_STORE_PREFIX_LIMIT_H
#define ROCHEFORT_STORE_PREFIX_LIMIT_H

#include <stdbool.h>

/* So many inodes are left to others, or 1 % of all if that is less. */
#define PREFIX_LIMIT_INODES_KEPT 1024

struct prefix_limit;

/* For the root with that descriptor, which stays the caller's. Any number may exist until
 * prefix_limit_set. Free with prefix_limit_free. */
int prefix_limit_new(int root_fd, struct prefix_limit **out);
void prefix_limit_free(struct prefix_limit *limit); /* NULL is ignored */

/* At most so many prefixes. To be called before other threads use the limit. */
void prefix_limit_set(struct prefix_limit *limit, unsigned most);

/*
 * Asks for a prefix, with `new_directory` for one that is not there yet, and for so
 * many files in it.
 *   STORE_TOO_MANY_PREFIXES  as many exist as may
 *   STORE_FEW_INODES         too few would be left
 */
int prefix_limit_take(struct prefix_limit *limit, bool new_directory, unsigned files);

/* So many of these files were made, or will not be. */
void prefix_limit_settle(struct prefix_limit *limit, unsigned files);

/* The new directory is there; it was not made. One of the two after each grant of one. */
void prefix_limit_made(struct prefix_limit *limit);
void prefix_limit_give_back(struct prefix_limit *limit);

#endif
