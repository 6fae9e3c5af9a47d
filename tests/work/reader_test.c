/*
 * Tests of work/reader: replies in pieces of bounded size, the same whether
 * the values are in memory or not. This program brings its own preadv2, which
 * pretends that the page cache is cold, and an evbuffer_commit_space that may fail.
 */
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

/* Reads that one call may wait for: it has announced so many together, then others are served. */
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
#define BYTES_MAX (2 * JOB_PIECE_BYTES + 1)

static unsigned value_count;
static struct {
    int64_t offset;
    uint32_t bytes;
} values[VALUES_MAX];

/* Value i begins at byte i of this. */
static char pattern[BYTES_MAX + VALUES_MAX];

static int set_up(void **state)
{
    temperature = WARM;
    value_count = 0;
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (char)(i * 131 + i / 257);
    return one_bucket_set_up(state);
}

/* Appends a value of `bytes` bytes and answers its number. */
static unsigned add(struct one_bucket *fixture, uint32_t bytes)
{
    unsigned number = value_count++;
    assert_true(number < VALUES_MAX && bytes <= BYTES_MAX);
    values[number].offset = one_bucket_append(fixture, pattern + number, bytes);
    values[number].bytes = bytes;
    return number;
}

/*
 * Until the next piece is whole, as the worker does it: after a read that does not wait one that
 * does, and the other way round. Bounded: waiting must help.
 */
static int turn(struct one_bucket *fixture, struct job *job)
{
    may_wait = false;
    int error = reader_read(job, fixture->bucket, true);
    for (int calls = 0; error == -EAGAIN; calls++) {
        assert_true(temperature != WARM);
        assert_true(calls < 1000);
        may_wait = !may_wait;
        waiting_reads = 0;
        error = reader_read(job, fixture->bucket, !may_wait);
        assert_true(waiting_reads <= WAITING_READS_MAX);
    }
    return error;
}

/* Takes the piece out of the job and adds it to `reply`. Answers its length. */
static size_t take_piece(struct job *job, struct evbuffer *reply)
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

static void assert_reply(struct evbuffer *reply, const void *expected, size_t bytes)
{
    assert_int_equal(evbuffer_get_length(reply), bytes);
    if (bytes > 0)
        assert_memory_equal(evbuffer_pullup(reply, -1), expected, bytes);
}

static void short_value_is_in_the_job_itself(void **state)
{
    static const uint32_t lengths[] = {1, 2, 500, JOB_SMALL_BYTES - 1, JOB_SMALL_BYTES};
    struct one_bucket *fixture = *state;
    for (unsigned i = 0; i < 5; i++)
        (void)add(fixture, lengths[i]);
    for (temperature = WARM; temperature < COLD_END; temperature++) {
        for (unsigned i = 0; i < 5; i++) {
            struct job job = {.kind = JOB_READ, .offset = values[i].offset};
            assert_int_equal(turn(fixture, &job), 0);
            assert_false(job.more);
            assert_null(job.piece);
            assert_int_equal(job.value_bytes, lengths[i]);
            assert_int_equal(job.small_bytes, lengths[i]);
            assert_memory_equal(job.small, pattern + i, lengths[i]);
        }
    }
}

static void only_the_length_is_read_if_only_that_is_wanted(void **state)
{
    struct one_bucket *fixture = *state;
    (void)add(fixture, 10);
    (void)add(fixture, BYTES_MAX);
    for (temperature = WARM; temperature < COLD_END; temperature++) {
        for (unsigned i = 0; i < 2; i++) {
            struct job job = {.kind = JOB_READ, .header_only = true, .offset = values[i].offset};
            assert_int_equal(turn(fixture, &job), 0);
            assert_false(job.more);
            assert_null(job.piece);
            assert_int_equal(job.value_bytes, values[i].bytes);
            assert_int_equal(job.small_bytes, 0);
        }
    }
}

static void long_value_comes_in_pieces(void **state)
{
    static const struct {
        uint32_t bytes;
        unsigned pieces;
    } table[] = {
        {JOB_SMALL_BYTES + 1, 1}, {JOB_PIECE_BYTES - 1, 1}, {JOB_PIECE_BYTES, 1},
        {JOB_PIECE_BYTES + 1, 2}, {2 * JOB_PIECE_BYTES, 2}, {2 * JOB_PIECE_BYTES + 1, 3},
    };
    struct one_bucket *fixture = *state;
    for (unsigned i = 0; i < 6; i++)
        (void)add(fixture, table[i].bytes);
    for (temperature = WARM; temperature < COLD_END; temperature++) {
        for (unsigned i = 0; i < 6; i++) {
            struct evbuffer *reply = evbuffer_new();
            struct job job = {.kind = JOB_READ, .offset = values[i].offset};
            for (unsigned piece = 1; piece <= table[i].pieces; piece++) {
                assert_int_equal(turn(fixture, &job), 0);
                assert_int_equal(job.value_bytes, table[i].bytes);
                size_t bytes = take_piece(&job, reply);
                assert_true(bytes > 0 && bytes <= JOB_PIECE_BYTES);
                assert_int_equal(job.more, piece < table[i].pieces);
            }
            assert_reply(reply, pattern + i, table[i].bytes);
            evbuffer_free(reply);
        }
    }
}

#define GUESS_MAX (16 * 1024 - 64)

/* A read that has begun on a long value finds a short one when it goes on: the file was replaced
 * meanwhile, and the worker lets it begin anew as nothing was handed over. */
static void what_was_begun_is_dropped(void **state)
{
    struct one_bucket *fixture = *state;
    unsigned long_one = add(fixture, 5000), short_one = add(fixture, 500);
    struct job job = {.kind = JOB_READ, .offset = values[long_one].offset};
    temperature = PATCHY;
    patchy_calls = 1; /* the first read finds what it wants, the second does not */
    may_wait = false;
    assert_int_equal(reader_read(&job, fixture->bucket, true), -EAGAIN);
    assert_non_null(job.piece);
    temperature = WARM;
    job.offset = values[short_one].offset;
    assert_int_equal(reader_read(&job, fixture->bucket, true), 0);
    assert_null(job.piece);
    assert_int_equal(job.value_bytes, 500);
    assert_memory_equal(job.small, pattern + short_one, 500);
}

/* Whatever is expected, the value is the same; if it is no less than the value, one call reads it.
 */
static void length_may_be_expected(void **state)
{
    static const uint32_t lengths[] = {
        1,         JOB_SMALL_BYTES, JOB_SMALL_BYTES + 1, 4096,
        GUESS_MAX, GUESS_MAX + 1,   JOB_PIECE_BYTES,     JOB_PIECE_BYTES + 1};
    const unsigned count = sizeof(lengths) / sizeof(lengths[0]);
    struct one_bucket *fixture = *state;
    for (unsigned i = 0; i < count; i++)
        (void)add(fixture, lengths[i]);
    for (temperature = WARM; temperature < COLD_END; temperature++) {
        for (unsigned i = 0; i < count * count; i++) {
            unsigned number = i % count;
            uint32_t bytes = lengths[number], expected = lengths[i / count];
            struct evbuffer *reply = evbuffer_new();
            struct job job = {
                .kind = JOB_READ, .offset = values[number].offset, .expected_bytes = expected};
            all_reads = 0;
            assert_int_equal(turn(fixture, &job), 0);
            if (temperature == WARM && expected >= bytes && bytes <= GUESS_MAX)
                assert_int_equal(all_reads, 1);
            assert_int_equal(job.value_bytes, bytes);
            if (bytes <= JOB_SMALL_BYTES) {
                assert_null(job.piece);
                assert_int_equal(job.small_bytes, bytes);
                assert_memory_equal(job.small, pattern + number, bytes);
            }
            for (size_t piece = take_piece(&job, reply); piece > 0;
                 piece = take_piece(&job, reply)) {
                assert_true(piece <= JOB_PIECE_BYTES);
                if (job.more)
                    assert_int_equal(turn(fixture, &job), 0);
            }
            assert_false(job.more);
            if (bytes > JOB_SMALL_BYTES)
                assert_reply(reply, pattern + number, bytes);
            evbuffer_free(reply);
        }
        struct job nothing = {
            .kind = JOB_READ, .offset = values[0].offset + 1, .expected_bytes = 4096};
        assert_int_equal(turn(fixture, &nothing), -ENOENT);
        assert_null(nothing.piece);
    }
}

static void errors_of_a_read_are_told(void **state)
{
    struct one_bucket *fixture = *state;
    unsigned number = add(fixture, BYTES_MAX);
    int64_t offset = values[number].offset;
    for (temperature = WARM; temperature < COLD_END; temperature++) {
        struct job nothing = {.kind = JOB_READ, .offset = offset + 1};
        assert_int_equal(turn(fixture, &nothing), -ENOENT);
        assert_false(nothing.more);
    }
    temperature = WARM;
    struct job job = {.kind = JOB_READ, .offset = offset};
    struct evbuffer *reply = evbuffer_new();
    assert_int_equal(turn(fixture, &job), 0);
    (void)take_piece(&job, reply);
    assert_true(job.more);
    /* the file is cut between two pieces */
    assert_int_equal(truncate(one_bucket_path(fixture), 300000), 0);
    may_wait = true;
    assert_int_equal(reader_read(&job, fixture->bucket, false), -ENODATA);
    assert_false(job.more);
    (void)take_piece(&job, reply);
    evbuffer_free(reply);
}

/* A getMulti of `count` values; the caller frees `offsets`. */
static struct job multi_job(const unsigned *numbers, unsigned count)
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

static struct evbuffer *multi_reply(const unsigned *numbers, unsigned count)
{
    struct evbuffer *reply = evbuffer_new();
    for (unsigned i = 0; i < count; i++) {
        uint32_t bytes = values[numbers[i]].bytes;
        uint8_t length[4] = {(uint8_t)bytes, (uint8_t)(bytes >> 8), (uint8_t)(bytes >> 16),
                             (uint8_t)(bytes >> 24)};
        assert_int_equal(evbuffer_add(reply, length, sizeof(length)), 0);
        assert_int_equal(evbuffer_add(reply, pattern + numbers[i], bytes), 0);
    }
    return reply;
}

/* Reads a getMulti to its end at every temperature and compares. */
static void check_multi(struct one_bucket *fixture, const unsigned *numbers, unsigned count)
{
    struct evbuffer *expected = multi_reply(numbers, count);
    for (temperature = WARM; temperature < COLD_END; temperature++) {
        struct job job = multi_job(numbers, count);
        struct evbuffer *reply = evbuffer_new();
        do {
            assert_int_equal(turn(fixture, &job), 0);
            size_t bytes = take_piece(&job, reply);
            assert_true(bytes > 0 || count == 0);
            assert_true(bytes <= JOB_PIECE_BYTES + RECORD_LENGTH_BYTES + JOB_SMALL_BYTES);
        } while (job.more);
        assert_int_equal(evbuffer_get_length(job.offsets), 0);
        assert_reply(reply, evbuffer_pullup(expected, -1), evbuffer_get_length(expected));
        evbuffer_free(job.offsets);
        evbuffer_free(reply);
    }
    evbuffer_free(expected);
}

static void multi_of_nothing_is_empty(void **state)
{
    check_multi(*state, NULL, 0);
}

static void multi_of_all_lengths(void **state)
{
    static const uint32_t lengths[] = {1,
                                       1007,
                                       1008,
                                       1009,
                                       7,
                                       16000,
                                       20000,
                                       2,
                                       JOB_PIECE_BYTES - 1000,
                                       JOB_PIECE_BYTES,
                                       JOB_PIECE_BYTES + 1,
                                       3,
                                       131100,
                                       BYTES_MAX};
    const unsigned count = sizeof(lengths) / sizeof(lengths[0]);
    unsigned numbers[3 * VALUES_MAX];
    struct one_bucket *fixture = *state;
    for (unsigned i = 0; i < count; i++)
        numbers[i] = add(fixture, lengths[i]);
    check_multi(fixture, numbers, count); /* ends with a long one */
    for (unsigned i = 0; i < count; i++) {
        numbers[count + i] = count - 1 - i; /* backwards, */
        numbers[2 * count + i] = i * 5 % count;
    }
    check_multi(fixture, numbers, 3 * count);
}

static void multi_of_many_short_values(void **state)
{
    static unsigned numbers[5000];
    struct one_bucket *fixture = *state;
    for (uint32_t i = 0; i < VALUES_MAX; i++)
        (void)add(fixture, i * 16 + 1);
    for (unsigned i = 0; i < 5000; i++)
        numbers[i] = i * 37 % VALUES_MAX;
    check_multi(fixture, numbers, 5000);
    check_multi(fixture, numbers, 127); /* around the number announced together */
    check_multi(fixture, numbers, 128);
    check_multi(fixture, numbers, 129);
}

/* Short values after a long one that left much room in the memory reserved for it. */
static void multi_of_short_values_behind_a_long_one(void **state)
{
    static unsigned numbers[400];
    struct one_bucket *fixture = *state;
    unsigned small = add(fixture, 1008), middle = add(fixture, 150000);
    for (unsigned i = 0; i < 400; i++)
        numbers[i] = i % 200 == 99 ? middle : small;
    check_multi(fixture, numbers, 400);
}

/* The values before the bad offset, then the error. */
static void check_multi_error(struct one_bucket *fixture, unsigned good, uint64_t bad)
{
    unsigned numbers[200];
    for (unsigned i = 0; i < 200; i++)
        numbers[i] = i % 3;
    struct evbuffer *expected = multi_reply(numbers, good);
    for (temperature = WARM; temperature < COLD_END; temperature++) {
        struct job job = multi_job(numbers, good);
        for (int i = 0; i < 8; i++)
            assert_int_equal(evbuffer_add(job.offsets, &(uint8_t){(uint8_t)(bad >> 8 * i)}, 1), 0);
        for (int i = 0; i < 8; i++) /* offset 0 would be fine, but nobody may ask for it */
            assert_int_equal(evbuffer_add(job.offsets, "", 1), 0);
        struct evbuffer *reply = evbuffer_new();
        assert_int_equal(turn(fixture, &job), -ENOENT);
        assert_false(job.more);
        assert_true(job.offset == (int64_t)bad);
        (void)take_piece(&job, reply);
        assert_reply(reply, evbuffer_pullup(expected, -1), evbuffer_get_length(expected));
        evbuffer_free(job.offsets);
        evbuffer_free(reply);
    }
    evbuffer_free(expected);
}

static void multi_stops_at_the_first_bad_offset(void **state)
{
    static const uint64_t bad[] = {1, 1000000000, INT64_MAX, 1ULL << 63, UINT64_MAX};
    static const unsigned good[] = {0, 1, 5, 127, 128, 129, 200};
    struct one_bucket *fixture = *state;
    (void)add(fixture, 10);
    (void)add(fixture, 100);
    (void)add(fixture, 600);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        for (size_t j = 0; j < sizeof(good) / sizeof(good[0]); j++)
            check_multi_error(fixture, good[j], bad[i]);
}

/* The piece holds what it held before. */
static void what_was_read_may_not_get_into_the_piece(void **state)
{
    static const unsigned numbers[] = {0, 1};
    struct one_bucket *fixture = *state;
    (void)add(fixture, 5000);
    (void)add(fixture, 10);
    struct job jobs[] = {
        {.kind = JOB_READ, .offset = values[0].offset},
        {.kind = JOB_READ, .offset = values[0].offset, .expected_bytes = 6000},
        multi_job(numbers, 1), /* a long one: first its beginning */
        multi_job(numbers + 1, 1),
    };
    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        failing_arm(&fail_evbuffer_commit_space, 1, ENOMEM);
        assert_int_equal(turn(fixture, &jobs[i]), -ENOMEM);
        assert_true(failing_disarm(&fail_evbuffer_commit_space));
        assert_false(jobs[i].more);
        assert_int_equal(evbuffer_get_length(jobs[i].piece), 0);
        evbuffer_free(jobs[i].piece);
        if (jobs[i].offsets != NULL)
            evbuffer_free(jobs[i].offsets);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, one_bucket_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(short_value_is_in_the_job_itself),
        TEST(only_the_length_is_read_if_only_that_is_wanted),
        TEST(long_value_comes_in_pieces),
        TEST(length_may_be_expected),
        TEST(what_was_begun_is_dropped),
        TEST(errors_of_a_read_are_told),
        TEST(multi_of_nothing_is_empty),
        TEST(multi_of_all_lengths),
        TEST(multi_of_many_short_values),
        TEST(multi_of_short_values_behind_a_long_one),
        TEST(multi_stops_at_the_first_bad_offset),
        TEST(what_was_read_may_not_get_into_the_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
