/*
 * prefix: one directory of bucket files, append.0.raw .. append.<N-1>.raw.
 *
 * N is fixed when the prefix is created and is read from the directory from then
 * on. All files are made at creation, the highest-numbered first and then
 * downwards: so a creation that was cut short leaves an unbroken run that ends
 * at N-1 but does not start at 0, and opening it again makes the rest.
 *
 * When all files exist N is written to the directory's extended attribute
 * user.rochefort.buckets, the buckets attribute. From then on a file that is
 * missing was lost, also the first or the last, and the whole prefix is refused:
 * with another N the other files would be asked for the wrong ids. Without the
 * attribute (files of another program, a copy, a file system that has no
 * attributes) the files are counted. The attribute is written only after files
 * were made, never for a number that was counted.
 *
 * Any thread, but for one prefix only one thread at a time may call prefix_find and
 * prefix_make_files.
 * Errors: 0, -errno or one of store/error.h.
 */
#ifndef ROCHEFORT_STORE_PREFIX_H
#define ROCHEFORT_STORE_PREFIX_H

#include <stdbool.h>
#include <stddef.h>

#include "store/root.h"

#define PREFIX_NAME_BYTES_MAX 255
#define PREFIX_BUCKETS_MAX 65536
/* "append." + 5 digits + ".raw" + NUL, rounded up */
#define BUCKET_FILE_NAME_BYTES 32

/* One path component: 1..255 bytes, no '/', no control character, no leading dot. */
bool prefix_name_valid(const char *name, size_t bytes);

/* The file name of a bucket, "append.<N>.raw", NUL-terminated. */
void bucket_file_name(unsigned bucket, char out[BUCKET_FILE_NAME_BYTES]);

/* The bucket whose file name this is, or -1 if it is not exactly one. */
long bucket_file_number(const char *name);

/* Reads the buckets attribute of a directory; `*buckets` is 0 if there is none. 0 or -errno. */
int prefix_read_attribute(int directory_fd, unsigned *buckets);

/*
 * Finds how many buckets the prefix `name` (valid, NUL-terminated) has.
 *   STORE_NO_PREFIX      there is no such prefix and `create` is false
 *   STORE_FILES_MISSING  the bucket files are not one unbroken run, or not as many as the buckets
 *                        attribute says: refused, since any count would be a guess
 *   -ENOTDIR, -ELOOP     something that is not a directory has that name
 * With `create` the directory of a missing prefix is made, for `buckets_if_new` files. `*missing`
 * files of it, or of a prefix whose creation was cut short, are still to be made then, by
 * prefix_make_files; without `create` it is 0.
 */
int prefix_find(const struct root *root, const char *name, unsigned buckets_if_new, bool create,
                unsigned *buckets, unsigned *missing);

/*
 * Makes the next of the `*missing` files, at most `count`, and takes them off it. They are many, so
 * the caller does so in steps. When none is missing any more the buckets attribute is written.
 */
int prefix_make_files(const struct root *root, const char *name, unsigned buckets,
                      unsigned *missing, unsigned count);

/*
 * Makes the missing files of a prefix with so many buckets, if its creation was cut short (then the
 * last is there and the first is not, and there is no buckets attribute) or if it was deleted (then
 * none is there). Otherwise nothing is done: a file that is missing was lost. Several threads may
 * do so at once. STORE_FILES_MISSING: the last is missing, and others are there.
 */
int prefix_complete(const struct root *root, const char *name, unsigned buckets);

#endif
