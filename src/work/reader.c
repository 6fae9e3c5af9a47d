#include "work/reader.h"

#include <endian.h>
#include <errno.h>
#include <event2/buffer.h>
#include <string.h>

#include "store/record.h"

/* How many offsets of one getMulti are announced together and then waited for in one turn. */
#define WINDOW_OFFSETS 128
/* Values of a getMulti are read into blocks of this size, less libevent's chain header. */
#define BLOCK_BYTES (16 * 1024 - 64)
/* The first read of a value takes so much with the header, at least and at most. */
#define GUESS_BYTES JOB_SMALL_BYTES
#define GUESS_BYTES_MAX BLOCK_BYTES

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t piece_bytes(const struct job *job)
{
    return job->piece != NULL ? evbuffer_get_length(job->piece) : 0;
}

/* `bytes` of contiguous room at the end of the job's piece, to be filled and then committed. */
static int reserve(struct job *job, size_t bytes, struct evbuffer_iovec *room)
{
    if (job->piece == NULL)
        job->piece = evbuffer_new();
    if (job->piece == NULL || evbuffer_reserve_space(job->piece, (ev_ssize_t)bytes, room, 1) != 1)
        return -ENOMEM;
    return 0;
}

static int commit(struct job *job, struct evbuffer_iovec *room, size_t bytes)
{
    room->iov_len = bytes;
    return evbuffer_commit_space(job->piece, room, 1) == 0 ? 0 : -ENOMEM;
}

/*
 * Reads on in the value at job->offset, at most `limit` bytes. `begun_bytes` of them are at
 * `begun` already.
 */
static int read_on(struct job *job, struct bucket *bucket, bool cached_only, size_t limit,
                   const void *begun, size_t begun_bytes)
{
    struct evbuffer_iovec room;
    size_t bytes = smaller(limit, job->value_bytes - job->value_done);
    int error = reserve(job, bytes, &room);
    if (error != 0)
        return error;
    if (begun_bytes > 0)
        memcpy(room.iov_base, begun, begun_bytes);
    error = bucket_read_more(bucket, job->offset, job->value_done + (uint32_t)begun_bytes,
                             (char *)room.iov_base + begun_bytes, bytes - begun_bytes, cached_only);
    if (error == 0)
        error = commit(job, &room, bytes);
    if (error == 0)
        job->value_done += (uint32_t)bytes;
    return error;
}

static void drop_piece(struct job *job)
{
    if (job->piece != NULL)
        evbuffer_free(job->piece);
    job->piece = NULL;
}

static size_t guess_bytes(const struct job *job)
{
    return smaller(job->expected_bytes, GUESS_BYTES_MAX);
}

/* The first read of a value that is probably too long for the job itself; it may turn out not to.
 */
static int read_long(struct job *job, struct bucket *bucket, bool cached_only,
                     struct bucket_value *found)
{
    struct evbuffer_iovec room;
    size_t capacity = guess_bytes(job);
    int error = reserve(job, capacity, &room);
    if (error == 0)
        error = bucket_read(bucket, job->offset, room.iov_base, capacity, cached_only, found);
    if (error == 0 && found->value_bytes > sizeof(job->small)) {
        job->value_done = found->read_bytes;
        return commit(job, &room, found->read_bytes);
    }
    if (error == 0)
        memcpy(job->small, room.iov_base, found->value_bytes);
    drop_piece(job);
    return error;
}

static int begin_single(struct job *job, struct bucket *bucket, bool cached_only,
                        struct bucket_value *found)
{
    if (job->expected_bytes > GUESS_BYTES && !job->header_only)
        return read_long(job, bucket, cached_only, found);
    return bucket_read(bucket, job->offset, job->small, job->header_only ? 0 : GUESS_BYTES,
                       cached_only, found);
}

static int read_single(struct job *job, struct bucket *bucket, bool cached_only)
{
    struct bucket_value found = {0};
    if (job->value_done == 0) {
        drop_piece(job); /* of a turn that did not get further */
        int error = begin_single(job, bucket, cached_only, &found);
        if (error != 0)
            return error;
        job->value_bytes = found.value_bytes;
        job->small_bytes = found.read_bytes;
        if (job->header_only || found.read_bytes == found.value_bytes)
            return 0;
    }
    size_t begun = job->value_done == 0 ? found.read_bytes : 0;
    int error =
        read_on(job, bucket, cached_only, JOB_PIECE_BYTES - piece_bytes(job), job->small, begun);
    job->more = error == 0 && job->value_done < job->value_bytes;
    return error;
}

/* A block of the piece that is being filled with short values. */
struct block {
    struct evbuffer_iovec room;
    size_t used, enough;
};

static int begin_block(struct job *job, struct block *block)
{
    block->used = 0;
    block->enough = JOB_PIECE_BYTES - piece_bytes(job);
    return reserve(job, BLOCK_BYTES, &block->room);
}

/*
 * Reads the value at job->offset into the block as [length][value]; the end of a long value is
 * left for read_on.
 */
static int read_into_block(struct job *job, struct bucket *bucket, bool cached_only,
                           struct block *block)
{
    struct bucket_value found;
    char *at = (char *)block->room.iov_base + block->used;
    int error = bucket_read(bucket, job->offset, at + RECORD_LENGTH_BYTES, GUESS_BYTES, cached_only,
                            &found);
    if (error != 0)
        return error;
    uint32_t length = htole32(found.value_bytes);
    memcpy(at, &length, sizeof(length));
    block->used += sizeof(length) + found.read_bytes;
    if (found.read_bytes < found.value_bytes) {
        job->value_open = true;
        job->value_bytes = found.value_bytes;
        job->value_done = found.read_bytes;
    }
    return 0;
}

static bool block_has_room(const struct block *block)
{
    return block->used < block->enough &&
           block->used + RECORD_LENGTH_BYTES + GUESS_BYTES <= block->room.iov_len;
}

/*
 * Reads the values at `offsets` one after the other until one is long, one fails or the block is
 * full. `*done` counts those whose beginning is in the piece.
 */
static int read_values(struct job *job, struct bucket *bucket, bool cached_only,
                       const uint64_t *offsets, size_t count, size_t *done)
{
    struct block block;
    int error = begin_block(job, &block);
    *done = 0;
    while (error == 0 && *done < count && !job->value_open && block_has_room(&block)) {
        job->offset = (int64_t)le64toh(offsets[*done]); /* over INT64_MAX: negative, not found */
        error = read_into_block(job, bucket, cached_only, &block);
        if (error == 0)
            (*done)++;
    }
    if (block.used > 0 && commit(job, &block.room, block.used) != 0)
        return -ENOMEM;
    return error;
}

static void announce(const struct bucket *bucket, const uint64_t *offsets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bucket_announce(bucket, (int64_t)le64toh(offsets[i]), RECORD_HEADER_BYTES + GUESS_BYTES);
}

/* One window of offsets, or the rest of one long value. */
static int read_window(struct job *job, struct bucket *bucket, bool cached_only)
{
    if (job->value_open) {
        size_t room = JOB_PIECE_BYTES - piece_bytes(job);
        int error = read_on(job, bucket, cached_only, room, NULL, 0);
        job->value_open = error != 0 || job->value_done < job->value_bytes;
        return error;
    }
    uint64_t offsets[WINDOW_OFFSETS];
    ev_ssize_t copied = evbuffer_copyout(job->offsets, offsets, sizeof(offsets));
    size_t count = (size_t)copied / JOB_OFFSET_BYTES, done;
    if (!cached_only)
        announce(bucket, offsets, count);
    int error = read_values(job, bucket, cached_only, offsets, count, &done);
    (void)evbuffer_drain(job->offsets, done * JOB_OFFSET_BYTES);
    return error;
}

static int read_multi(struct job *job, struct bucket *bucket, bool cached_only)
{
    int error = 0;
    job->more = true;
    while (error == 0 && job->more) {
        if (!job->value_open && evbuffer_get_length(job->offsets) == 0) {
            job->more = false;
        } else if (piece_bytes(job) >= JOB_PIECE_BYTES) {
            break;
        } else {
            error = read_window(job, bucket, cached_only);
            if (error == 0 && !cached_only && job->more)
                return -EAGAIN; /* waited once: now it is somebody else's turn */
        }
    }
    if (error != 0 && error != -EAGAIN)
        job->more = false;
    return error;
}

/* As much as is known, or likely, to be read next. */
static void announce_single(const struct job *job, const struct bucket *bucket)
{
    size_t likely = job->value_bytes;
    if (job->header_only)
        likely = 0;
    else if (likely == 0)
        likely = job->expected_bytes > GUESS_BYTES ? job->expected_bytes : GUESS_BYTES;
    bucket_announce(bucket, job->offset + job->value_done,
                    RECORD_HEADER_BYTES + smaller(likely - job->value_done, JOB_PIECE_BYTES));
}

int reader_read(struct job *job, struct bucket *bucket, bool cached_only)
{
    int error = job->kind == JOB_READ ? read_single(job, bucket, cached_only)
                                      : read_multi(job, bucket, cached_only);
    if (error == -EAGAIN && job->kind == JOB_READ && !job->waits)
        announce_single(job, bucket);
    return error;
}
