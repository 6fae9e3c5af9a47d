#include "work/reader.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <event2/buffer.h>
#include <string.h>

#include "store/error.h"
#include "store/neighbours.h"
#include "store/record.h"

/* So many offsets of one getMulti are prefetched together and then read before it yields. */
#define BATCH_OFFSETS 128
/* Values of a getMulti are read into blocks of this size, less libevent's chain header. */
#define BLOCK_BYTES (16 * 1024 - 64)
/* The first read of a value takes so much with the header, at least and at most. */
#define FIRST_READ_BYTES JOB_SMALL_BYTES
#define FIRST_READ_BYTES_MAX BLOCK_BYTES
/* The first read of a value of a getMulti. */
#define VALUE_READ_BYTES (RECORD_HEADER_BYTES + FIRST_READ_BYTES)
/* The usual length of values falls by this part of the way to a shorter one. */
#define USUAL_BYTES_DECAY 8

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t piece_bytes(const struct job *job)
{
    return job->piece != NULL ? evbuffer_get_length(job->piece) : 0;
}

/* Up to which byte the value at hand is wanted. */
static uint32_t value_end(const struct job *job)
{
    return job->range_bytes > 0 ? job->range_first + job->range_bytes : job->value_bytes;
}

/* How much more of the value at hand belongs into the piece. */
static size_t value_room(const struct job *job)
{
    size_t used = piece_bytes(job), rest = value_end(job) - job->progress.value_done;
    if (used + rest <= JOB_PIECE_BYTES_MAX)
        return rest;
    return used < JOB_PIECE_BYTES ? JOB_PIECE_BYTES - used : 0;
}

/* `bytes` of contiguous room at the end of the job's piece, to be filled and then committed. */
static int reserve_room(struct job *job, size_t bytes, struct evbuffer_iovec *room)
{
    if (job->piece == NULL)
        job->piece = evbuffer_new();
    if (job->piece == NULL || evbuffer_reserve_space(job->piece, (ev_ssize_t)bytes, room, 1) != 1)
        return -ENOMEM;
    return 0;
}

static int commit_room(struct job *job, struct evbuffer_iovec *room, size_t bytes)
{
    room->iov_len = bytes;
    return evbuffer_commit_space(job->piece, room, 1) == 0 ? 0 : -ENOMEM;
}

/*
 * Reads on in the value at job->offset, as far as one chain of libevent's goes. `begun_bytes` are
 * at `begun` already.
 */
static int read_chain(struct job *job, struct bucket *bucket, bool may_wait, const void *begun,
                      size_t begun_bytes)
{
    struct job_progress *progress = &job->progress;
    struct evbuffer_iovec room;
    size_t bytes = smaller(value_room(job), JOB_PIECE_BYTES);
    int error = reserve_room(job, bytes, &room);
    if (error != 0)
        return error;
    if (begun_bytes > 0)
        memcpy(room.iov_base, begun, begun_bytes);
    error = bucket_read_more(bucket, job->offset, progress->value_done + (uint32_t)begun_bytes,
                             (char *)room.iov_base + begun_bytes, bytes - begun_bytes, !may_wait);
    if (error == 0)
        error = commit_room(job, &room, bytes);
    if (error == 0)
        progress->value_done += (uint32_t)bytes;
    return error;
}

/* Reads on until the value ends or the piece is full. */
static int read_rest(struct job *job, struct bucket *bucket, bool may_wait, const void *begun,
                     size_t begun_bytes)
{
    int error = read_chain(job, bucket, may_wait, begun, begun_bytes);
    while (error == 0 && value_room(job) > 0)
        error = read_chain(job, bucket, may_wait, NULL, 0);
    return error;
}

static void drop_piece(struct job *job)
{
    if (job->piece != NULL)
        evbuffer_free(job->piece);
    job->piece = NULL;
}

/* The first read of a value that is probably too long for the job itself; it may turn out not to.
 */
static int begin_long(struct job *job, struct bucket *bucket, uint32_t usual_bytes, bool may_wait,
                      struct bucket_value *found)
{
    struct evbuffer_iovec room;
    size_t capacity = smaller(usual_bytes, FIRST_READ_BYTES_MAX);
    int error = reserve_room(job, capacity, &room);
    if (error == 0)
        error = bucket_read(bucket, job->offset, room.iov_base, capacity, !may_wait, found);
    if (error == 0 && found->value_bytes > sizeof(job->small)) {
        job->progress.value_done = found->read_bytes;
        return commit_room(job, &room, found->read_bytes);
    }
    if (error == 0)
        memcpy(job->small, room.iov_base, found->value_bytes);
    drop_piece(job);
    return error;
}

static int begin_single(struct job *job, struct bucket *bucket, uint32_t usual_bytes, bool may_wait,
                        struct bucket_value *found)
{
    if (usual_bytes > FIRST_READ_BYTES && !job->header_only)
        return begin_long(job, bucket, usual_bytes, may_wait, found);
    return bucket_read(bucket, job->offset, job->small, job->header_only ? 0 : FIRST_READ_BYTES,
                       !may_wait, found);
}

/* A part of a value that the caller knows; of what is before it only the header is read. */
static int read_range(struct job *job, struct bucket *bucket, bool may_wait)
{
    struct job_progress *progress = &job->progress;
    struct bucket_value found = {0};
    if (!progress->range_begun) {
        int error = bucket_read(bucket, job->offset, NULL, 0, !may_wait, &found);
        if (error != 0)
            return error;
        if (found.value_bytes != job->value_bytes || found.time_ns != job->time_ns)
            return STORE_CHANGED;
        progress->value_done = job->range_first;
        progress->range_begun = true;
    }
    int error = read_rest(job, bucket, may_wait, NULL, 0);
    job->more = error == 0 && progress->value_done < value_end(job);
    return error;
}

static int read_single(struct job *job, struct bucket *bucket, uint32_t usual_bytes, bool may_wait)
{
    struct bucket_value found = {0};
    if (job->progress.value_done == 0) {
        drop_piece(job); /* of an earlier call that was blocked */
        int error = begin_single(job, bucket, usual_bytes, may_wait, &found);
        if (error != 0)
            return error;
        job->value_bytes = found.value_bytes;
        job->time_ns = found.time_ns;
        job->small_bytes = found.read_bytes;
        if (job->header_only || found.read_bytes == found.value_bytes)
            return 0;
    }
    size_t begun = job->progress.value_done == 0 ? found.read_bytes : 0;
    int error = read_rest(job, bucket, may_wait, job->small, begun);
    job->more = error == 0 && job->progress.value_done < job->value_bytes;
    return error;
}

/* The beginning of a value may be all that is over the end of a piece. */
static_assert(RECORD_LENGTH_BYTES + FIRST_READ_BYTES <= JOB_PIECE_BYTES_OVER, "it fits");

/* A block of the piece that is being filled with short values. */
struct block {
    struct evbuffer_iovec room;
    size_t used, enough;
};

static int begin_block(struct job *job, size_t bytes_max, struct block *block)
{
    block->used = 0;
    block->enough = smaller(JOB_PIECE_BYTES - piece_bytes(job), bytes_max);
    return reserve_room(job, BLOCK_BYTES, &block->room);
}

/*
 * Puts the value at job->offset into the block as [length][value]; the end of a long value is
 * left for read_rest.
 */
static int read_into_block(struct job *job, struct bucket *bucket, bool may_wait,
                           const struct neighbours *neighbours, struct block *block)
{
    struct bucket_value found;
    int error = 0;
    char *at = (char *)block->room.iov_base + block->used, *value = at + RECORD_LENGTH_BYTES;
    if (!neighbours_find(neighbours, bucket, job->offset, value, FIRST_READ_BYTES, &found))
        error = bucket_read(bucket, job->offset, value, FIRST_READ_BYTES, !may_wait, &found);
    if (error != 0)
        return error;
    if (found.value_bytes == 0)
        return STORE_EMPTY_RECORD; /* a length of 0 would mean that an error follows */
    uint32_t length = htole32(found.value_bytes);
    memcpy(at, &length, sizeof(length));
    block->used += sizeof(length) + found.read_bytes;
    if (found.read_bytes < found.value_bytes) {
        job->progress.value_open = true;
        job->progress.value_done = found.read_bytes;
        job->value_bytes = found.value_bytes;
    }
    return 0;
}

static bool block_has_room(const struct block *block)
{
    return block->used < block->enough &&
           block->used + RECORD_LENGTH_BYTES + FIRST_READ_BYTES <= block->room.iov_len;
}

/* For the next of `offsets`, as many as are returned. */
static size_t look_for_neighbours(struct neighbours *neighbours, struct bucket *bucket,
                                  bool may_wait, const uint64_t *offsets, size_t count)
{
    neighbours->begin = 0;
    neighbours->bytes = 0;
    size_t close = neighbours_count(offsets, count, VALUE_READ_BYTES);
    if (close > 1)
        neighbours_read(neighbours, bucket, offsets, close, VALUE_READ_BYTES, !may_wait);
    return close;
}

/*
 * Reads the values at `offsets` one after the other until one is long, one fails or the block is
 * full. `*done` counts those whose beginning is in the piece.
 */
static int read_values(struct job *job, struct bucket *bucket, bool may_wait, size_t bytes_max,
                       const uint64_t *offsets, size_t count, size_t *done)
{
    struct block block;
    struct neighbours neighbours; /* its data are not cleared: they are large */
    size_t looked_at = 0;
    int error = begin_block(job, bytes_max, &block);
    *done = 0;
    while (error == 0 && *done < count && !job->progress.value_open && block_has_room(&block)) {
        if (*done == looked_at)
            looked_at += look_for_neighbours(&neighbours, bucket, may_wait, offsets + looked_at,
                                             count - looked_at);
        job->offset = (int64_t)le64toh(offsets[*done]); /* over INT64_MAX: negative, not found */
        error = read_into_block(job, bucket, may_wait, &neighbours, &block);
        if (error == 0)
            (*done)++;
    }
    if (block.used > 0 && commit_room(job, &block.room, block.used) != 0) {
        *done = 0; /* none of them is in the piece */
        job->progress.value_open = false;
        return -ENOMEM;
    }
    return error;
}

static void prefetch_values(const struct bucket *bucket, const uint64_t *offsets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bucket_prefetch(bucket, (int64_t)le64toh(offsets[i]), VALUE_READ_BYTES);
}

/* One batch of offsets, or the rest of one long value. */
static int read_batch(struct job *job, struct bucket *bucket, bool may_wait,
                      struct reader_quota *quota)
{
    if (job->progress.value_open) {
        int error = read_rest(job, bucket, may_wait, NULL, 0);
        job->progress.value_open = error != 0 || job->progress.value_done < job->value_bytes;
        return error;
    }
    uint64_t offsets[BATCH_OFFSETS];
    size_t most = smaller(BATCH_OFFSETS, quota->values);
    ev_ssize_t copied = evbuffer_copyout(job->offsets, offsets, most * JOB_OFFSET_BYTES);
    size_t count = (size_t)copied / JOB_OFFSET_BYTES, done;
    if (may_wait)
        prefetch_values(bucket, offsets, count);
    int error = read_values(job, bucket, may_wait, quota->bytes, offsets, count, &done);
    (void)evbuffer_drain(job->offsets, done * JOB_OFFSET_BYTES);
    quota->values -= done;
    return error;
}

/* Nothing more belongs into it. */
static bool piece_is_full(const struct job *job)
{
    return job->progress.value_open ? value_room(job) == 0 : piece_bytes(job) >= JOB_PIECE_BYTES;
}

/*
 * Until the piece is full. `*yields`: that was not to be, because the quota is used, or because one
 * batch was waited for.
 */
static int read_multi(struct job *job, struct bucket *bucket, bool may_wait,
                      struct reader_quota *quota, bool *yields)
{
    int error = 0;
    for (bool has_read = false; error == 0; has_read = true) {
        job->more = job->progress.value_open || evbuffer_get_length(job->offsets) > 0;
        if (!job->more || piece_is_full(job))
            break;
        *yields = reader_quota_is_used(quota) || (may_wait && has_read);
        if (*yields)
            break;
        size_t before = piece_bytes(job);
        error = read_batch(job, bucket, may_wait, quota);
        quota->bytes -= smaller(quota->bytes, piece_bytes(job) - before);
    }
    return error;
}

/* As much as is known, or likely, to be read next. */
static void prefetch_single(const struct job *job, const struct bucket *bucket,
                            uint32_t usual_bytes)
{
    size_t likely = value_end(job), done = job->progress.value_done;
    if (job->header_only)
        likely = 0;
    else if (likely == 0)
        likely = usual_bytes > FIRST_READ_BYTES ? usual_bytes : FIRST_READ_BYTES;
    if (job->range_bytes > 0 && !job->progress.range_begun) {
        bucket_prefetch(bucket, job->offset, RECORD_HEADER_BYTES);
        done = job->range_first;
    }
    bucket_prefetch(bucket, job->offset + (int64_t)done,
                    RECORD_HEADER_BYTES + smaller(likely - done, JOB_PIECE_BYTES));
}

/* A value must not begin in one file and go on in another: the file may have been replaced. */
static bool is_same_file(struct job *job, const struct bucket *bucket)
{
    struct job_progress *progress = &job->progress;
    uint64_t file_id = bucket_file_id(bucket);
    bool begun = job->kind == JOB_READ ? progress->value_done > 0 || progress->range_begun
                                       : progress->value_open;
    if (begun && progress->file_id != file_id)
        return false;
    progress->file_id = file_id;
    return true;
}

/* After a longer value the next is expected to be as long, after a shorter one a little shorter. */
static void update_usual_bytes(uint32_t *usual_bytes, uint32_t value_bytes)
{
    if (value_bytes >= *usual_bytes)
        *usual_bytes = value_bytes;
    else
        *usual_bytes -= (*usual_bytes - value_bytes) / USUAL_BYTES_DECAY;
}

/* Goes on behind the offset that failed. That of an open value was drained when it began. */
static void skip_failed(struct job *job)
{
    uint64_t offset;
    if (!job->progress.value_open &&
        evbuffer_remove(job->offsets, &offset, sizeof(offset)) == (int)sizeof(offset))
        job->offset = (int64_t)le64toh(offset);
    job->progress.value_open = false;
    job->more = evbuffer_get_length(job->offsets) > 0;
}

void reader_fail(struct job *job, int error)
{
    struct job_progress *progress = &job->progress;
    job->error = error;
    job->more = false;
    job->partial_bytes =
        progress->value_open ? RECORD_LENGTH_BYTES + (uint64_t)progress->value_done : 0;
    if (job->errors_each)
        skip_failed(job);
}

enum reader_result reader_read(struct job *job, struct bucket *bucket, uint32_t *usual_bytes,
                               bool may_wait, struct reader_quota *quota)
{
    bool single = job->kind == JOB_READ, yields = false;
    int error;
    if (!is_same_file(job, bucket))
        error = STORE_CHANGED;
    else if (single && job->range_bytes > 0)
        error = read_range(job, bucket, may_wait);
    else if (single)
        error = read_single(job, bucket, *usual_bytes, may_wait);
    else
        error = read_multi(job, bucket, may_wait, quota, &yields);
    if (error == STORE_WOULD_BLOCK) {
        if (single)
            prefetch_single(job, bucket, *usual_bytes);
        return READER_BLOCKED;
    }
    if (error == 0 && yields)
        return READER_YIELD;
    job->error = 0;
    if (error != 0)
        reader_fail(job, error);
    else if (single)
        update_usual_bytes(usual_bytes, job->value_bytes);
    return READER_DONE;
}
