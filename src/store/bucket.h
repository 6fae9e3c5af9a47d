/*
 * bucket: one append-only file of records.
 *
 * Owns its descriptor and knows its tail, the offset where the next record
 * goes. Invariant: every record that bucket_append reported as written lies
 * wholly below the tail, and nothing at or above the tail is ever answered.
 *
 * Nobody else may write to the file. Before each write it is looked up by its
 * name (one statx): a file that was deleted, replaced or moved away gets no more
 * records, for nobody would find them; nor does one that has another length than
 * we left it with, for then an offset could come to mean two records, or foreign
 * bytes be lost.
 *
 * One thread at a time; in the server that is always the same worker.
 * Errors: 0, -errno or one of store/error.h.
 */
#ifndef ROCHEFORT_STORE_BUCKET_H
#define ROCHEFORT_STORE_BUCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/batch.h"
#include "store/root.h"
#include "store/tail.h"

struct bucket;

/*
 * Opens bucket number `index` of the prefix `name`, with `writable` for appending too.
 * STORE_NO_FILE: there is no such file; it is not made here, see prefix.h. Free with bucket_close.
 * With `writable` the beginning of an append that was cut by a crash is cut off; if that fails the
 * bucket takes no appends.
 */
int bucket_open(const struct root *root, const char *name, unsigned index, bool writable,
                struct bucket **out);
void bucket_close(struct bucket *bucket);

/*
 * Gives the descriptor up and takes one again, for a process that has too few. Between the two only
 * bucket_close and what is asked of a bucket without an error are allowed.
 * STORE_NO_FILE, STORE_CHANGED: the file is not there, or not as it was left: open it anew
 */
void bucket_suspend(struct bucket *bucket);
int bucket_resume(struct bucket *bucket, const struct root *root, const char *name, unsigned index);
bool bucket_suspended(const struct bucket *bucket);

bool bucket_broken(const struct bucket *bucket); /* opened for appending, but takes no appends */
/* Which file it is: no other that was ever open has the same number. bucket_continues gives a
 * bucket the number of one that was opened before, if both are the same file. */
uint64_t bucket_file_id(const struct bucket *bucket);
void bucket_continues(struct bucket *bucket, const struct bucket *before);

bool bucket_writable(const struct bucket *bucket);
int64_t bucket_tail(const struct bucket *bucket); /* bytes */

/* What opening for appending has found at the end of the file, and how long the file was then. */
const struct tail *bucket_found(const struct bucket *bucket, int64_t *bytes);

/*
 * Appends all records of the batch, in order, with as few calls as the kernel allows, and sets
 * `offset` or `error` of each. A write that fails half-way is cut back to the last whole record:
 * the records before it are in the file, the others are not and carry the error. If even cutting
 * back fails the bucket takes no more appends (STORE_BROKEN) until it is opened again.
 * 0 if every record was written, otherwise the error of those that were not:
 *   STORE_NO_FILE    the file was deleted, replaced or moved; nothing was written, so open it anew
 *                    and try again
 *   STORE_CHANGED    its length was changed behind our back; nothing was written, and so it stays
 *                    until the bucket is opened again
 *   STORE_READ_ONLY  it was not opened for appending
 */
int bucket_append(struct bucket *bucket, struct batch *batch);

/*
 * Brings all that was appended to the disk, with one fdatasync. An error means that nobody can say
 * what of it is there, now or later: the kernel tells of it once, so a second call could succeed
 * with nothing written, and must not be made. The file's name is another matter: root_sync_names.
 */
int bucket_sync(struct bucket *bucket);

/*
 * Takes back what was appended since the tail was `tail`: it could not be synced, and nobody was
 * told that it is there. If cutting the file fails it takes no more appends, as in bucket_append.
 */
void bucket_take_back(struct bucket *bucket, int64_t tail);

/* What bucket_read found. */
struct bucket_value {
    uint32_t value_bytes; /* length of the whole value */
    uint32_t read_bytes;  /* how much of its beginning is in the buffer now */
};

/*
 * Reads the header at `offset` and the beginning of the value, at most `capacity` bytes, in one
 * call to the kernel if it can. With `cached_only` it does not wait for the disk.
 *   STORE_NOT_FOUND    no record starts there
 *   STORE_TRUNCATED    the record is cut short
 *   STORE_WOULD_BLOCK  only with `cached_only`: the disk would have to be waited for
 */
int bucket_read(struct bucket *bucket, int64_t offset, void *buffer, size_t capacity,
                bool cached_only, struct bucket_value *found);

/* Reads `bytes` bytes of a value, from byte `skip` of it on. Errors as bucket_read. */
int bucket_read_more(struct bucket *bucket, int64_t offset, uint32_t skip, void *buffer,
                     size_t bytes, bool cached_only);

/* Tells the kernel that these bytes will be read soon. Only a hint, so it has no result. */
void bucket_prefetch(const struct bucket *bucket, int64_t offset, size_t bytes);

#endif
