/*
 * Tests of work/reader with single values: replies in pieces of bounded size, the same whether the
 * values are in memory or not.
 */
#include "store/error.h"
#include "work/pieces.h"

static void short_value_is_in_the_job_itself(void **state)
{
    static const uint32_t lengths[] = {1, 2, 500, JOB_SMALL_BYTES - 1, JOB_SMALL_BYTES};
    struct one_bucket *fixture = *state;
    for (unsigned i = 0; i < 5; i++)
        (void)add(fixture, lengths[i]);
    for (temperature = WARM; temperature < COLD_END; temperature++) {
        for (unsigned i = 0; i < 5; i++) {
            struct job job = {.kind = JOB_READ, .offset = values[i].offset};
            assert_int_equal(read_piece(fixture, &job), 0);
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
            assert_int_equal(read_piece(fixture, &job), 0);
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
        {JOB_SMALL_BYTES + 1, 1},
        {JOB_PIECE_BYTES, 1},
        {256 * 1024, 1},
        {JOB_PIECE_BYTES_MAX, 1},
        {JOB_PIECE_BYTES_MAX + 1, 2},
        {2 * JOB_PIECE_BYTES, 2},
        {JOB_PIECE_BYTES + JOB_PIECE_BYTES_MAX, 2},
        {JOB_PIECE_BYTES + JOB_PIECE_BYTES_MAX + 1, 3},
        {1024 * 1024, 4},
    };
    const unsigned count = sizeof(table) / sizeof(table[0]);
    struct one_bucket *fixture = *state;
    for (unsigned i = 0; i < count; i++)
        (void)add(fixture, table[i].bytes);
    for (temperature = WARM; temperature < COLD_END; temperature++) {
        for (unsigned i = 0; i < count; i++) {
            struct evbuffer *reply = evbuffer_new();
            struct job job = {.kind = JOB_READ, .offset = values[i].offset};
            for (unsigned piece = 1; piece <= table[i].pieces; piece++) {
                assert_int_equal(read_piece(fixture, &job), 0);
                assert_int_equal(job.value_bytes, table[i].bytes);
                size_t bytes = take_piece(&job, reply);
                assert_true(bytes > 0 && bytes <= JOB_PIECE_BYTES_MAX);
                assert_true(bytes <= JOB_PIECE_BYTES || !job.more); /* only the last runs over */
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
    uint32_t usual_bytes = 0;
    assert_int_equal(reader_read(&job, fixture->bucket, &usual_bytes, false, NULL), READER_BLOCKED);
    assert_non_null(job.piece);
    temperature = WARM;
    job.offset = values[short_one].offset;
    assert_int_equal(reader_read(&job, fixture->bucket, &usual_bytes, false, NULL), READER_DONE);
    assert_int_equal(job.error, 0);
    assert_false(job.more);
    assert_null(job.piece);
    assert_int_equal(job.value_bytes, 500);
    assert_memory_equal(job.small, pattern + short_one, 500);
}

/* Whatever is expected, the value is the same; if it is no less than the value, one call reads it.
 */
static void length_may_be_expected(void **state)
{
    static const uint32_t lengths[] = {1,
                                       JOB_SMALL_BYTES,
                                       JOB_SMALL_BYTES + 1,
                                       4096,
                                       GUESS_MAX,
                                       GUESS_MAX + 1,
                                       JOB_PIECE_BYTES,
                                       JOB_PIECE_BYTES_MAX,
                                       JOB_PIECE_BYTES_MAX + 1};
    const unsigned count = sizeof(lengths) / sizeof(lengths[0]);
    struct one_bucket *fixture = *state;
    for (unsigned i = 0; i < count; i++)
        (void)add(fixture, lengths[i]);
    for (temperature = WARM; temperature < COLD_END; temperature++) {
        for (unsigned i = 0; i < count * count; i++) {
            unsigned number = i % count;
            uint32_t bytes = lengths[number], expected = lengths[i / count];
            struct evbuffer *reply = evbuffer_new();
            struct job job = {.kind = JOB_READ, .offset = values[number].offset};
            all_reads = 0;
            assert_int_equal(read_piece_expecting(fixture, &job, expected), 0);
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
                assert_true(piece <= JOB_PIECE_BYTES_MAX);
                if (job.more)
                    assert_int_equal(read_piece(fixture, &job), 0);
            }
            assert_false(job.more);
            if (bytes > JOB_SMALL_BYTES)
                assert_reply(reply, pattern + number, bytes);
            evbuffer_free(reply);
        }
        struct job nothing = {.kind = JOB_READ, .offset = values[0].offset + 1};
        assert_int_equal(read_piece_expecting(fixture, &nothing, 4096), STORE_NOT_FOUND);
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
        assert_int_equal(read_piece(fixture, &nothing), STORE_NOT_FOUND);
        assert_false(nothing.more);
    }
    temperature = WARM;
    struct job job = {.kind = JOB_READ, .offset = offset};
    struct evbuffer *reply = evbuffer_new();
    assert_int_equal(read_piece(fixture, &job), 0);
    (void)take_piece(&job, reply);
    assert_true(job.more);
    /* the file is cut between two pieces */
    assert_int_equal(truncate(one_bucket_path(fixture), 300000), 0);
    may_wait = true;
    uint32_t usual_bytes = 0;
    assert_int_equal(reader_read(&job, fixture->bucket, &usual_bytes, true, NULL), READER_DONE);
    assert_int_equal(job.error, STORE_TRUNCATED);
    assert_false(job.more);
    (void)take_piece(&job, reply);
    evbuffer_free(reply);
}

/* Between two pieces the file was replaced: the rest is not read from another one. */
static void value_does_not_go_on_in_another_file(void **state)
{
    struct one_bucket *fixture = *state;
    unsigned number = add(fixture, BYTES_MAX);
    struct job job = {.kind = JOB_READ, .offset = values[number].offset};
    struct evbuffer *reply = evbuffer_new();
    assert_int_equal(read_piece(fixture, &job), 0);
    (void)take_piece(&job, reply);
    assert_true(job.more);
    one_bucket_reopen(fixture, true); /* counts as another, for it may be */
    assert_int_equal(read_piece(fixture, &job), STORE_CHANGED);
    assert_false(job.more);
    assert_null(job.piece);
    evbuffer_free(reply);
}

/* A longer value counts at once, a shorter one by an eighth of the way. */
static void usual_length_follows_the_values(void **state)
{
    static const struct {
        uint32_t bytes, usual;
    } steps[] = {{800, 800}, {1600, 1600}, {800, 1500}, {1500, 1500}, {700, 1400}, {1, 1226}};
    struct one_bucket *fixture = *state;
    uint32_t usual_bytes = 0;
    may_wait = true;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        unsigned number = add(fixture, steps[i].bytes);
        struct job job = {.kind = JOB_READ, .offset = values[number].offset};
        assert_int_equal(reader_read(&job, fixture->bucket, &usual_bytes, true, NULL), READER_DONE);
        assert_int_equal(job.error, 0);
        assert_int_equal(usual_bytes, steps[i].usual);
        if (job.piece != NULL)
            evbuffer_free(job.piece);
    }
    struct job nothing = {.kind = JOB_READ, .offset = values[0].offset + 1};
    assert_int_equal(reader_read(&nothing, fixture->bucket, &usual_bytes, true, NULL), READER_DONE);
    assert_int_equal(nothing.error, STORE_NOT_FOUND);
    assert_int_equal(usual_bytes, 1226);
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
        {.kind = JOB_READ, .offset = values[0].offset}, /* one call for the whole value */
        multi_job(numbers, 1),                          /* a long one: first its beginning */
        multi_job(numbers + 1, 1),
    };
    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        failing_arm(&fail_evbuffer_commit_space, 1, ENOMEM);
        assert_int_equal(read_piece_expecting(fixture, &jobs[i], i == 1 ? 6000 : 0), -ENOMEM);
        assert_true(failing_disarm(&fail_evbuffer_commit_space));
        assert_false(jobs[i].more);
        assert_int_equal(evbuffer_get_length(jobs[i].piece), 0);
        evbuffer_free(jobs[i].piece);
        if (jobs[i].offsets != NULL)
            evbuffer_free(jobs[i].offsets);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        READER_TEST(short_value_is_in_the_job_itself),
        READER_TEST(only_the_length_is_read_if_only_that_is_wanted),
        READER_TEST(long_value_comes_in_pieces),
        READER_TEST(length_may_be_expected),
        READER_TEST(what_was_begun_is_dropped),
        READER_TEST(errors_of_a_read_are_told),
        READER_TEST(value_does_not_go_on_in_another_file),
        READER_TEST(usual_length_follows_the_values),
        READER_TEST(what_was_read_may_not_get_into_the_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
