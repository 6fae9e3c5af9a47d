/*
 * prefix: one directory of bucket files, append.0.raw .. append.<N-1>.raw.
 *
 * N and the hash of ids are fixed when the prefix is created; MANIFEST has them.
 * All files are made at creation, the highest-numbered first and then downwards,
 * and MANIFEST last. A creation that was cut short is completed by the next one.
 * After that a file that is missing was lost, and the whole prefix is refused:
 * its ids could be answered with the values of others.
 *
 * Any thread, but for one prefix only one thread at a time may call prefix_find with `create` and
 * prefix_make_files.
 * Errors: 0, -errno or one of store/error.h.
 */
#ifndef ROCHEFORT_STORE_PREFIX_H
#define ROCHEFORT_STORE_PREFIX_H

#include <stdbool.h>

#include "store/manifest.h"
#include "store/names.h"
#include "store/root.h"

/*
 * Finds the prefix `name` (valid, NUL-terminated) and how its ids find their buckets.
 *   STORE_NO_PREFIX         there is no such prefix and `create` is false, or nothing but the
 *                           beginning of one
 *   STORE_FILES_MISSING, STORE_FILES_ADDITIONAL
 *                           the files are not those that were made; in a root that is open for
 *                           reading only some may be missing
 *   STORE_NO_MANIFEST, STORE_MANIFEST_TORN, STORE_MANIFEST_INVALID, STORE_MANIFEST_LATER,
 *   STORE_MANIFEST_UNREADABLE
 *                           it is not known which bucket an id has: refused
 *   STORE_NAME_REFUSED      it is not made: see names.h
 *   STORE_TOO_MANY_PREFIXES, STORE_FEW_INODES
 *                           it is not made: see prefix_limit.h
 *   -ENOTDIR, -ELOOP        something that is not a directory has that name
 * `*file` is then what the error is about: a bucket, PREFIX_MANIFEST or PREFIX_DIRECTORY.
 * With `create` the directory of a missing prefix is made, for what `if_new` says. `*missing` files
 * of it, or of a prefix whose creation was cut short, are still to be made then, by
 * prefix_make_files, or not, by prefix_abandon; otherwise it is 0. A prefix of an earlier server
 * gets its MANIFEST, if that can be written.
 */
int prefix_find(const struct root *root, const char *name, const struct manifest *if_new,
                bool create, struct manifest *manifest, unsigned *missing, unsigned *file);

/*
 * Makes the next of the `*missing` files, at most `count`, and takes them off it. They are many, so
 * the caller does so in steps. When none is missing any more MANIFEST is written; if that fails,
 * one is missing again.
 */
int prefix_make_files(const struct root *root, const char *name, const struct manifest *manifest,
                      unsigned *missing, unsigned count);

/* The files that are still missing are not made now. */
void prefix_abandon(const struct root *root, unsigned *missing);

#endif
