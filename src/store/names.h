/*
 * names: what the directories and files of a root may be called.
 *
 * Pure functions; any thread.
 */
#ifndef ROCHEFORT_STORE_NAMES_H
#define ROCHEFORT_STORE_NAMES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define PREFIX_NAME_BYTES_MAX 255
#define PREFIX_BUCKETS_MAX 65536
/* "append." + 5 digits + ".raw" + NUL, rounded up */
#define BUCKET_FILE_NAME_BYTES 32

/* What in the directory of a prefix an error is about, if not the file of a bucket. */
#define PREFIX_DIRECTORY UINT_MAX
#define PREFIX_MANIFEST (UINT_MAX - 1)

/* One path component: 1..255 bytes, no '/', no control character, no leading dot. */
bool prefix_name_valid(const char *name, size_t bytes);

/* Whether a new prefix may have that name, which is valid: UTF-8 without control characters of
 * Unicode (U+0080 to U+009F), since terminals and logs show it. */
bool prefix_name_valid_if_new(const char *name);

/* The file name of a bucket, "append.<N>.raw", NUL-terminated. */
void bucket_file_name(unsigned bucket, char out[BUCKET_FILE_NAME_BYTES]);

/* The bucket whose file name this is, or -1 if it is not exactly one. */
long bucket_file_number(const char *name);

#endif
