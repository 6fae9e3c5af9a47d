/*
 * bucket: one append-only file of records.
 *
 * Owns its descriptor and knows its tail, the offset where the next record
 * goes. Invariant: every record that bucket_append reported as written lies
 * wholly below the tail, and a read at or above the tail finds nothing.
 *
 * No other program may write to the file. Before each write it is looked up by
 * its name (one statx). A file that was deleted, replaced or moved away gets no
 * more records, since a later start of the server would not find them. Nor does
 * one that has another length than it was left with: an offset could come to mean
 * two records, or bytes of another program be lost.
 *
 * One thread at a time; in the server that is always the same worker. bucket_sync alone may run on
 * another thread, and beside the functions that read.
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
#include "store/walk.h"

struct bucket;

/*
 * Opens bucket number `index` of the prefix `name`, with `writable` for appending too.
 * STORE_NO_FILE: there is no such file; it is not made here, see prefix.h. Free with bucket_close.
 * With `writable` the beginning of an append that was cut by a crash is cut off; if that fails the
 * bucket takes no appends.
 */
int bucket_open(const struct root *root, const char *name, unsigned index, bool writable,
                struct bucket **out);

/* Closes the descriptor, if it is open, and frees the bucket. Its descriptor is closed also if an
 * error is returned: that of close(2). NULL is ignored. */
int bucket_close(struct bucket *bucket);

/*
 * Closes the descriptor and opens it again, for a process that has too few. Between the two only
 * bucket_close and the functions that return no error may be called. bucket_suspend returns the
 * error of close(2), and the descriptor is closed also then. STORE_NO_FILE, STORE_CHANGED: the file
 * is not there, or not as it was left: open it anew
 */
int bucket_suspend(struct bucket *bucket);
int bucket_resume(struct bucket *bucket, const struct root *root, const char *name, unsigned index);
bool bucket_suspended(const struct bucket *bucket);

/* Somebody else writes it: the root is open for reading only. */
bool bucket_grows(const struct bucket *bucket);

/* Looks how long such a file is now. STORE_NO_FILE: its name is another file's by now, or nobody's.
 * What it says of the length of others is not believed. */
int bucket_refresh(struct bucket *bucket);

/* It was opened for appending, but takes no appends. */
bool bucket_broken(const struct bucket *bucket);

/* Which file it is: no other that was ever open has the same id. bucket_keep_file_id gives a bucket
 * the id of one that was opened before, if both are the same file. */
uint64_t bucket_file_id(const struct bucket *bucket);
void bucket_keep_file_id(struct bucket *bucket, const struct bucket *before);

bool bucket_writable(const struct bucket *bucket);
int64_t bucket_tail(const struct bucket *bucket); /* bytes */

/*
 * Where the records end that are complete: those behind it may be taken back, see bucket_hold_end.
 * Of a file that is open for reading only, the beginning of an append that was cut by a crash does
 * not count. For that its end is searched for once, which may fail.
 */
int bucket_find_end(struct bucket *bucket, int64_t *end);

/* So many bytes at the end are not complete: they can be undone by bucket_rollback until this is
 * called with 0. */
void bucket_hold_end(struct bucket *bucket, int64_t bytes);

/* Up to which offset bucket_sync is known to have written the file, as bucket_set_synced was told;
 * -1: it was not. */
int64_t bucket_synced_end(const struct bucket *bucket);
void bucket_set_synced(struct bucket *bucket, int64_t end);

/* Begins a walk over the file up to `end`. It is valid as long as the bucket is open. */
void bucket_walk(const struct bucket *bucket, int64_t end, struct walk *walk);

/* What opening for appending found at the end of the file, and how long the file was then. */
const struct tail *bucket_found(const struct bucket *bucket, int64_t *bytes);

/*
 * Appends all records of the batch, in order, with as few calls as the kernel allows, and sets
 * `offset` or `error` of each. After a write that failed half-way the file is truncated to its last
 * whole record, or before a list of which not all was written: the records up to there are in the
 * file, the others are not and have the error. If truncating fails too the bucket takes no more
 * appends (STORE_BROKEN) until it is opened again. A record that expects another end than it finds
 * when it is its turn has the error STORE_OTHER_END, and `offset` is that end.
 * 0 if every other record was written, otherwise the error of those that were not:
 *   STORE_NO_FILE    the file was deleted, replaced or moved; nothing was written, so open it anew
 *                    and try again
 *   STORE_CHANGED    its length was changed by others; nothing was written, and so it stays
 *                    until the bucket is opened again
 *   STORE_READ_ONLY  it was not opened for appending
 */
int bucket_append(struct bucket *bucket, struct batch *batch);

/*
 * Writes all that was appended to the disk, with one fdatasync. After an error it is not known what
 * of it is there, now or later: the kernel reports it once, so a second call could succeed with
 * nothing written, and must not be made. That the file is found again is another matter:
 * prefix_sync.h.
 */
int bucket_sync(const struct bucket *bucket);

/*
 * Undoes what was appended since the tail was `tail`: it could not be synced, and was not yet
 * reported as written. If truncating fails the bucket takes no more appends, as in bucket_append.
 */
void bucket_rollback(struct bucket *bucket, int64_t tail);

/* What bucket_read found. */
struct bucket_value {
    uint32_t value_bytes; /* length of the whole value */
    uint64_t time_ns;     /* of the append */
    uint32_t read_bytes;  /* how much of its beginning is in the buffer now */
};

/*
 * Reads the header at `offset` and the beginning of the value, at most `capacity` bytes, in one
 * call to the kernel if it can. With `cached_only` it does not wait for the disk.
 *   STORE_NOT_FOUND    no record starts there, or a file that grows has not got all of it yet
 *   STORE_TRUNCATED    the record is cut short
 *   STORE_WOULD_BLOCK  only with `cached_only`: the disk would have to be waited for
 */
int bucket_read(struct bucket *bucket, int64_t offset, void *buffer, size_t capacity,
                bool cached_only, struct bucket_value *found);

/* Reads `bytes` bytes of a value, from byte `skip` of it on. Errors as bucket_read. */
int bucket_read_more(struct bucket *bucket, int64_t offset, uint32_t skip, void *buffer,
                     size_t bytes, bool cached_only);

/* Reads `bytes` bytes of the file as they are; they are below the tail. Errors as bucket_read, but
 * STORE_NOT_FOUND. */
int bucket_read_raw(struct bucket *bucket, int64_t offset, void *buffer, size_t bytes,
                    bool cached_only);

/* Reads what there is of `bytes` bytes from `offset` on, below the tail; with `cached_only` what is
 * in memory. Returns how many; fewer also if reading fails. */
size_t bucket_read_some(struct bucket *bucket, int64_t offset, void *buffer, size_t bytes,
                        bool cached_only);

/* Tells the kernel that these bytes will be read soon. A hint, so it has no result. */
void bucket_prefetch(const struct bucket *bucket, int64_t offset, size_t bytes);

#endif
