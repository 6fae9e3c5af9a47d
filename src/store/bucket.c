#include "store/bucket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/batch_slice.h"
#include "store/error.h"
#include "store/names.h"
#include "store/parts.h"
#include "store/record.h"

/* A checkpoint is written when both are behind the last one: few calls, and a short way at opening.
 */
#define CHECKPOINT_EVERY_BYTES (1024 * 1024)
#define CHECKPOINT_EVERY_RECORDS 64

struct bucket {
    const struct root *root;
    int fd;
    bool writable;
    bool broken;        /* a failed write could not be truncated */
    bool waits_to_read; /* the file system knows no RWF_NOWAIT */
    int64_t tail;
    int64_t held_bytes; /* at the end, not complete yet */
    int64_t synced;     /* up to here; -1: it is not known */
    int64_t end_found;  /* open for reading only: `found` is of so many bytes; -1: of none yet */
    uint64_t file_id;
    dev_t device;
    ino_t inode;
    struct tail found;
    int64_t found_bytes;
    int64_t since_checkpoint_bytes, since_checkpoint_records;
    char path[]; /* below the root: "prefix/file" */
};

/* Not without the lock: what is behind the tail may be another server's by now. */
static int truncate_to_tail(const struct bucket *bucket)
{
    int result;
    if (root_check(bucket->root) != 0)
        return -1;
    do
        result = ftruncate(bucket->fd, bucket->tail);
    while (result != 0 && errno == EINTR);
    return result;
}

/* Sets the tail of a file that is opened for appending. */
static int find_tail(struct bucket *bucket)
{
    struct tail *found = &bucket->found;
    int error = tail_find(bucket->fd, bucket->found_bytes, found);
    if (error != 0)
        return error;
    if (found->state == TAIL_TORN) {
        bucket->tail = found->whole;
        bucket->broken = truncate_to_tail(bucket) != 0;
    }
    /* without a checkpoint that leads to the tail the next append writes one */
    bucket->since_checkpoint_bytes = CHECKPOINT_EVERY_BYTES;
    bucket->since_checkpoint_records = CHECKPOINT_EVERY_RECORDS;
    if (found->checkpoint >= 0 && bucket->tail == found->whole) {
        bucket->since_checkpoint_bytes = bucket->tail - found->checkpoint;
        bucket->since_checkpoint_records = 0;
    }
    return 0;
}

static atomic_uint_fast64_t files_opened;

static int open_file(const struct root *root, const char *name, unsigned index, bool writable)
{
    char file[BUCKET_FILE_NAME_BYTES];
    bucket_file_name(index, file);
    return root_open_file(root, name, file, writable ? O_RDWR : O_RDONLY);
}

int bucket_open(const struct root *root, const char *name, unsigned index, bool writable,
                struct bucket **out)
{
    char file[BUCKET_FILE_NAME_BYTES];
    bucket_file_name(index, file);
    size_t path_bytes = strlen(name) + 1 + strlen(file) + 1;
    struct bucket *bucket = calloc(1, sizeof(*bucket) + path_bytes);
    if (bucket == NULL)
        return -ENOMEM;
    (void)snprintf(bucket->path, path_bytes, "%s/%s", name, file);
    bucket->root = root;
    bucket->fd = open_file(root, name, index, writable);
    if (bucket->fd < 0) {
        int error = bucket->fd;
        free(bucket);
        return error;
    }
    struct stat status;
    int error = fstat(bucket->fd, &status) != 0 ? -errno : 0;
    if (error == 0) {
        bucket->writable = writable;
        bucket->synced = bucket->end_found = -1;
        bucket->file_id = ++files_opened;
        bucket->device = status.st_dev;
        bucket->inode = status.st_ino;
        bucket->tail = bucket->found_bytes = status.st_size;
        if (writable)
            error = find_tail(bucket);
    }
    if (error != 0) {
        (void)bucket_close(bucket);
        return error;
    }
    *out = bucket;
    return 0;
}

int bucket_close(struct bucket *bucket)
{
    if (bucket == NULL)
        return 0;
    int error = bucket_suspended(bucket) ? 0 : bucket_suspend(bucket);
    free(bucket);
    return error;
}

int bucket_suspend(struct bucket *bucket)
{
    /* A file system on a network may tell here, and only here, that a write has failed. */
    int error = close(bucket->fd) != 0 ? -errno : 0;
    bucket->fd = -1;
    return error;
}

bool bucket_suspended(const struct bucket *bucket)
{
    return bucket->fd < 0;
}

/* Of a file that is opened again: the length that it was left with, or, if somebody else writes it,
 * whatever it has. */
static bool status_has_length(struct bucket *bucket, const struct stat *status)
{
    if (bucket_grows(bucket))
        bucket->tail = status->st_size;
    return bucket->tail == status->st_size;
}

int bucket_resume(struct bucket *bucket, const struct root *root, const char *name, unsigned index)
{
    struct stat status;
    int fd = open_file(root, name, index, bucket->writable);
    if (fd < 0)
        return fd;
    int error = fstat(fd, &status) != 0 ? -errno : 0;
    if (error == 0 && (bucket->broken || status.st_dev != bucket->device ||
                       status.st_ino != bucket->inode || !status_has_length(bucket, &status)))
        error = STORE_CHANGED;
    if (error == 0)
        bucket->fd = fd;
    else
        (void)close(fd);
    return error;
}

bool bucket_grows(const struct bucket *bucket)
{
    return root_read_only(bucket->root);
}

int bucket_refresh(struct bucket *bucket)
{
    return root_find_file(bucket->root, bucket->path, bucket->device, bucket->inode, &bucket->tail);
}

bool bucket_broken(const struct bucket *bucket)
{
    return bucket->broken;
}

uint64_t bucket_file_id(const struct bucket *bucket)
{
    return bucket->file_id;
}

void bucket_keep_file_id(struct bucket *bucket, const struct bucket *before)
{
    /* the inode of a file that is not open may be another's by now; then its length will differ */
    if (bucket->device == before->device && bucket->inode == before->inode &&
        (!bucket_suspended(before) || bucket->found_bytes == before->tail)) {
        bucket->file_id = before->file_id;
        bucket->synced = before->synced;
    }
}

bool bucket_writable(const struct bucket *bucket)
{
    return bucket->writable;
}

int64_t bucket_tail(const struct bucket *bucket)
{
    return bucket->tail;
}

int bucket_find_end(struct bucket *bucket, int64_t *end)
{
    *end = bucket->tail - bucket->held_bytes;
    if (bucket->writable)
        return 0;
    if (bucket->end_found != bucket->tail) {
        bool goes_on = bucket->end_found >= 0 && bucket->found.whole <= bucket->tail;
        int error = goes_on ? tail_find_on(bucket->fd, bucket->tail, &bucket->found)
                            : tail_find(bucket->fd, bucket->tail, &bucket->found);
        bucket->end_found = error == 0 ? bucket->tail : -1;
        if (error != 0)
            return error;
    }
    if (bucket->found.state == TAIL_TORN)
        *end = bucket->found.whole;
    return 0;
}

void bucket_hold_end(struct bucket *bucket, int64_t bytes)
{
    bucket->held_bytes = bytes;
}

int64_t bucket_synced_end(const struct bucket *bucket)
{
    return bucket->synced;
}

void bucket_set_synced(struct bucket *bucket, int64_t end)
{
    bucket->synced = end;
}

void bucket_walk(const struct bucket *bucket, int64_t end, struct walk *walk)
{
    walk_begin(walk, bucket->fd, end);
}

const struct tail *bucket_found(const struct bucket *bucket, int64_t *bytes)
{
    *bytes = bucket->found_bytes;
    return &bucket->found;
}

static void fail_records(struct batch *batch, size_t from, int error)
{
    for (size_t i = from; i < batch->record_count; i++)
        batch->records[i].error = error;
}

/* `written` records are between `begin` and the tail, `last` of the batch with the last of them. */
static void write_checkpoint(struct bucket *bucket, const struct batch_record *last,
                             int64_t written, int64_t begin)
{
    if (last == NULL)
        return;
    bucket->since_checkpoint_records += written;
    bucket->since_checkpoint_bytes += bucket->tail - begin;
    if (bucket->since_checkpoint_bytes < CHECKPOINT_EVERY_BYTES ||
        bucket->since_checkpoint_records < CHECKPOINT_EVERY_RECORDS)
        return;
    bucket->since_checkpoint_bytes = bucket->since_checkpoint_records = 0;
    struct record_header header = record_header_fields(last->header);
    int64_t bytes = RECORD_HEADER_BYTES + (int64_t)header.value_bytes;
    tail_write_checkpoint(bucket->fd, last->offset + (int64_t)last->bytes - bytes, last->header);
}

/* Whether the next record may go to the tail. */
static int check_before_append(const struct bucket *bucket)
{
    int64_t bytes;
    if (!bucket->writable)
        return STORE_READ_ONLY;
    if (bucket->broken)
        return STORE_BROKEN;
    int error = root_find_file(bucket->root, bucket->path, bucket->device, bucket->inode, &bytes);
    if (error != 0)
        return error;
    return bytes == bucket->tail ? 0 : STORE_CHANGED;
}

/* Where each goes, if all before it are written; those that expect another end are left out. */
static void place_records(const struct bucket *bucket, struct batch *batch)
{
    int64_t end = bucket->tail;
    for (size_t i = 0; i < batch->record_count; i++) {
        struct batch_record *record = &batch->records[i];
        record->offset = end;
        record->error = record->expects && record->expected != end ? STORE_OTHER_END : 0;
        if (record->error == 0)
            end += (int64_t)record->bytes;
    }
}

/* `*written` counts the bytes that are in the file, also on an error. */
static int write_records(const struct bucket *bucket, struct batch *batch, uint64_t *written)
{
    struct batch_slice slice;
    int error = 0;
    batch_slice_begin(&slice, batch);
    *written = 0;
    while (error == 0 && batch_slice_next(&slice)) {
        uint64_t now;
        error = parts_write(bucket->fd, slice.parts, slice.count, slice.bytes,
                            bucket->tail + (int64_t)*written, &now);
        *written += now;
    }
    return error;
}

int bucket_append(struct bucket *bucket, struct batch *batch)
{
    int error = check_before_append(bucket);
    if (error != 0) {
        fail_records(batch, 0, error);
        return error;
    }
    uint64_t written;
    place_records(bucket, batch);
    error = write_records(bucket, batch, &written);
    const int64_t begin = bucket->tail, end = begin + (int64_t)written;
    const struct batch_record *last = NULL;
    int64_t values = 0;
    size_t whole = 0;
    for (; whole < batch->record_count; whole++) {
        const struct batch_record *record = &batch->records[whole];
        if (record->error != 0)
            continue;
        if (record->offset + (int64_t)record->bytes > end)
            break;
        bucket->tail = record->offset + (int64_t)record->bytes;
        values += record->values > 0 ? record->values : 1;
        last = record;
    }
    if (error != 0) {
        /* what was expected of an end behind the first that failed was not decided rightly */
        fail_records(batch, whole, error);
        if (truncate_to_tail(bucket) != 0)
            bucket->broken = true;
    }
    write_checkpoint(bucket, last, values, begin);
    return error;
}

int bucket_sync(const struct bucket *bucket)
{
    /* EINTR is an error too. An interrupted call does not say how far it has come, and the kernel
     * may have reported an error of the disk to it: a second call could then succeed. Nothing is
     * lost by that, since the threads that sync block all signals. */
    return fdatasync(bucket->fd) != 0 ? -errno : 0;
}

void bucket_rollback(struct bucket *bucket, int64_t tail)
{
    bucket->tail = tail;
    bucket->since_checkpoint_bytes = CHECKPOINT_EVERY_BYTES;
    bucket->since_checkpoint_records = CHECKPOINT_EVERY_RECORDS;
    if (truncate_to_tail(bucket) != 0)
        bucket->broken = true;
}

/* Bytes of a record are missing: they are not in memory yet, or, as only we shorten the file, they
 * are lost. If somebody else writes it they may not be there yet. */
static int missing_error(const struct bucket *bucket, bool cached_only)
{
    if (cached_only)
        return STORE_WOULD_BLOCK;
    return bucket_grows(bucket) ? STORE_NOT_FOUND : STORE_TRUNCATED;
}

int bucket_read(struct bucket *bucket, int64_t offset, void *buffer, size_t capacity,
                bool cached_only, struct bucket_value *found)
{
    if (offset < 0 || offset > bucket->tail - RECORD_HEADER_BYTES)
        return STORE_NOT_FOUND;
    uint64_t below_tail = (uint64_t)(bucket->tail - offset - RECORD_HEADER_BYTES);
    if (capacity > below_tail)
        capacity = (size_t)below_tail;
    uint8_t header_bytes[RECORD_HEADER_BYTES];
    struct iovec parts[2] = {{header_bytes, sizeof(header_bytes)}, {buffer, capacity}};
    ssize_t got =
        parts_read(bucket->fd, parts, capacity > 0 ? 2 : 1, sizeof(header_bytes) + capacity, offset,
                   cached_only, &bucket->waits_to_read);
    if (got < 0)
        return (int)got;
    if (got < RECORD_HEADER_BYTES)
        return missing_error(bucket, cached_only);
    struct record_header header;
    if (record_header_decode(header_bytes, below_tail, &header) != 0)
        return STORE_NOT_FOUND;
    size_t value_got = (size_t)got - sizeof(header_bytes);
    if (value_got > header.value_bytes)
        value_got = header.value_bytes;
    if (header.value_bytes > below_tail)
        return missing_error(bucket, false);
    if (value_got < capacity && value_got < header.value_bytes)
        return missing_error(bucket, cached_only);
    found->value_bytes = header.value_bytes;
    found->time_ns = header.time_ns;
    found->read_bytes = (uint32_t)value_got;
    return 0;
}

size_t bucket_read_some(struct bucket *bucket, int64_t offset, void *buffer, size_t bytes,
                        bool cached_only)
{
    if (offset < 0 || offset >= bucket->tail)
        return 0;
    if (bytes > (uint64_t)(bucket->tail - offset))
        bytes = (size_t)(bucket->tail - offset);
    struct iovec part = {buffer, bytes};
    ssize_t got =
        parts_read(bucket->fd, &part, 1, bytes, offset, cached_only, &bucket->waits_to_read);
    return got > 0 ? (size_t)got : 0;
}

int bucket_read_raw(struct bucket *bucket, int64_t offset, void *buffer, size_t bytes,
                    bool cached_only)
{
    struct iovec part = {buffer, bytes};
    ssize_t got =
        parts_read(bucket->fd, &part, 1, bytes, offset, cached_only, &bucket->waits_to_read);
    if (got < 0)
        return (int)got;
    if ((size_t)got == bytes)
        return 0;
    return cached_only ? STORE_WOULD_BLOCK : STORE_TRUNCATED;
}

int bucket_read_more(struct bucket *bucket, int64_t offset, uint32_t skip, void *buffer,
                     size_t bytes, bool cached_only)
{
    return bucket_read_raw(bucket, offset + RECORD_HEADER_BYTES + skip, buffer, bytes, cached_only);
}

void bucket_prefetch(const struct bucket *bucket, int64_t offset, size_t bytes)
{
    (void)posix_fadvise(bucket->fd, offset, (off_t)bytes, POSIX_FADV_WILLNEED);
}
