/*
 * pieces: a bucket with values, and reads of it through work/reader as the worker does them. The
 * program gets its own preadv2, which pretends that the page cache is cold, and an
 * evbuffer_commit_space that may fail (link it with failing_calls(... evbuffer_commit_space)).
 */
#ifndef ROCHEFORT_TESTS_WORK_PIECES_H
#define ROCHEFORT_TESTS_WORK_PIECES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <event2/buffer.h>
#include <string.h>
#include <unistd.h>

#include "lib/failing.h"
#include "store/one_bucket.h"
#include "work/reader.h"

FAILING(evbuffer_commit_space, int, -1,
        (struct evbuffer * buffer, struct evbuffer_iovec *room, int count), (buffer, room, count))

enum temperature {
    WARM,    /* everything is in memory */
    COLD,    /* nothing is */
    PATCHY,  /* every third read finds nothing */
    SHORT,   /* the first 500 bytes are there */
    COLD_END /* their number */
};

static enum temperature temperature;
static unsigned patchy_calls;
static bool may_wait; /* what reader_read was told; it must keep to it */
static unsigned waiting_reads, all_reads;

/* Reads that one call may wait for: it has prefetched so many together, then it yields. */
#define WAITING_READS_MAX 128

/* With _FILE_OFFSET_BITS=64 the symbol of this is preadv64v2. */
ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t, int);
    *(void **)&real = dlsym(RTLD_NEXT, "preadv64v2");
    bool nowait = (flags & RWF_NOWAIT) != 0;
    assert_true(may_wait || nowait);
    waiting_reads += !nowait;
    all_reads++;
    if (nowait && temperature == SHORT) {
        struct iovec first = parts[0];
        if (first.iov_len > 500)
            first.iov_len = 500;
        return real(fd, &first, 1, offset, 0);
    }
    if (nowait && (temperature == COLD || (temperature == PATCHY && ++patchy_calls % 3 == 0))) {
        errno = EAGAIN;
        return -1;
    }
    return real(fd, parts, count, offset, 0);
}

#define VALUES_MAX 64
#define BYTES_MAX (1024 * 1024)

static unsigned value_count;
static struct {
    int64_t offset;
    uint32_t bytes;
} values[VALUES_MAX];

/* Value i begins at byte i of this. */
static char pattern[BYTES_MAX + VALUES_MAX];

static inline int set_up(void **state)
{
    temperature = WARM;
    value_count = 0;
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (char)(i * 131 + i / 257);
    return one_bucket_set_up(state);
}

/* Appends a value of `bytes` bytes and answers its number. */
static inline unsigned add(struct one_bucket *fixture, uint32_t bytes)
{
    unsigned number = value_count++;
    assert_true(number < VALUES_MAX && bytes <= BYTES_MAX);
    values[number].offset = one_bucket_append(fixture, pattern + number, bytes);
    values[number].bytes = bytes;
    return number;
}

/*
 * Until the next piece is whole, as the worker does it: what was blocked waits the next time, what
 * yields does not. Bounded: waiting must help. Returns the job's error.
 */
static inline int read_piece_expecting(struct one_bucket *fixture, struct job *job,
                                       uint32_t usual_bytes)
{
    may_wait = false;
    struct reader_quota quota = READER_QUOTA;
    enum reader_result result = reader_read(job, fixture->bucket, &usual_bytes, may_wait, &quota);
    for (int calls = 0; result != READER_DONE; calls++) {
        assert_true(calls < 1000);
        if (result == READER_BLOCKED)
            assert_true(!may_wait && temperature != WARM);
        else
            assert_true(may_wait || reader_quota_is_used(&quota));
        may_wait = result == READER_BLOCKED;
        waiting_reads = 0;
        quota = READER_QUOTA;
        result = reader_read(job, fixture->bucket, &usual_bytes, may_wait, &quota);
        assert_true(waiting_reads <= WAITING_READS_MAX);
    }
    return job->error;
}

static inline int read_piece(struct one_bucket *fixture, struct job *job)
{
    return read_piece_expecting(fixture, job, 0);
}

/* Takes the piece out of the job and adds it to `reply`. Answers its length. */
static inline size_t take_piece(struct job *job, struct evbuffer *reply)
{
    size_t bytes = 0;
    if (job->piece != NULL) {
        bytes = evbuffer_get_length(job->piece);
        assert_int_equal(evbuffer_add_buffer(reply, job->piece), 0);
        evbuffer_free(job->piece);
        job->piece = NULL;
    }
    return bytes;
}

static inline void assert_reply(struct evbuffer *reply, const void *expected, size_t bytes)
{
    assert_int_equal(evbuffer_get_length(reply), bytes);
    if (bytes > 0)
        assert_memory_equal(evbuffer_pullup(reply, -1), expected, bytes);
}

/* A getMulti of `count` values; the caller frees `offsets`. */
static inline struct job multi_job(const unsigned *numbers, unsigned count)
{
    struct job job = {.kind = JOB_READ_MULTI, .offsets = evbuffer_new()};
    for (unsigned i = 0; i < count; i++) {
        uint8_t bytes[8];
        for (int j = 0; j < 8; j++)
            bytes[j] = (uint8_t)((uint64_t)values[numbers[i]].offset >> 8 * j);
        assert_int_equal(evbuffer_add(job.offsets, bytes, sizeof(bytes)), 0);
    }
    return job;
}

#define READER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, one_bucket_tear_down)

#endif
