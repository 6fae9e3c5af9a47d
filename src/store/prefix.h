/*
 * prefix: one directory of bucket files, append.0.raw .. append.<N-1>.raw.
 *
 * N is fixed when the prefix is created and is read off the directory ever
 * after. All files are made at creation, the highest-numbered first and then
 * downwards: so a creation that was cut short leaves an unbroken run that ends
 * at N-1 but does not start at 0, and opening it again makes the rest.
 *
 * When all are there N is noted in the directory's extended attribute
 * user.rochefort.buckets. From then on a file that is missing was lost, also
 * the first or the last, and nothing is answered from the others: with another
 * N they would be asked for other ids. Without a note (the directory of another
 * program, a copy, a file system that knows no attributes) the files are counted,
 * and no note is made of a number that was only counted.
 *
 * Any thread, but for one prefix only one thread at a time may call prefix_resolve.
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

/* The note of a directory that is open. 0, and 0 if there is none, or -errno. */
int prefix_noted(int directory_fd, unsigned *noted);

/*
 * Finds how many buckets the prefix `name` (valid, NUL-terminated) has.
 *   STORE_NO_PREFIX      there is no such prefix and `create` is false
 *   STORE_FILES_MISSING  the bucket files are not one unbroken run, or not as many as were noted:
 * refused, for any count would be a guess -ENOTDIR, -ELOOP  something that is not a directory has
 * that name With `create` a missing prefix is made with `buckets_if_new` files, and one whose
 * creation was cut short is completed.
 */
int prefix_resolve(const struct root *root, const char *name, unsigned buckets_if_new, bool create,
                   unsigned *buckets);

/*
 * Makes the missing files of a prefix with so many buckets, if its creation was cut short (then the
 * last is there and the first is not, and nothing is noted) or if it was deleted (then none is
 * there). Otherwise nothing is done: a file that is missing was lost. Several threads may do so at
 * once. STORE_FILES_MISSING: the last is missing, and others are there.
 */
int prefix_complete(const struct root *root, const char *name, unsigned buckets);

#endif
