/*
 * Tests of work/reader with getMulti: the values before the first that fails, in pieces of bounded
 * size, the same whether they are in memory or not.
 */
#include "store/error.h"
#include "work/pieces.h"

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
            assert_int_equal(read_piece(fixture, &job), 0);
            size_t bytes = take_piece(&job, reply);
            assert_true(bytes > 0 || count == 0);
            assert_true(bytes <= JOB_PIECE_BYTES_MAX);
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
                                       JOB_PIECE_BYTES_MAX - 4,
                                       JOB_PIECE_BYTES_MAX,
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

/* A value is not divided for the last few bytes of it. */
static void multi_takes_no_piece_for_a_little(void **state)
{
    static const struct {
        uint32_t bytes;
        unsigned pieces;
    } table[] = {
        {256 * 1024, 1},
        {JOB_PIECE_BYTES_MAX - 4, 1},
        {JOB_PIECE_BYTES_MAX - 3, 2},
        {1024 * 1024, 4},
    };
    struct one_bucket *fixture = *state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        unsigned number = add(fixture, table[i].bytes), pieces = 0;
        struct job job = multi_job(&number, 1);
        struct evbuffer *reply = evbuffer_new();
        do {
            assert_int_equal(read_piece(fixture, &job), 0);
            (void)take_piece(&job, reply);
            pieces++;
        } while (job.more);
        assert_int_equal(pieces, table[i].pieces);
        assert_int_equal(evbuffer_get_length(reply), 4 + table[i].bytes);
        evbuffer_free(job.offsets);
        evbuffer_free(reply);
    }
}

/* Takes what a call has read. Returns how many bytes there were. */
static size_t read_with_quota(struct one_bucket *fixture, struct job *job,
                              struct reader_quota *quota, enum reader_result wanted)
{
    static uint32_t usual_bytes;
    struct evbuffer *reply = evbuffer_new();
    size_t before = job->piece != NULL ? evbuffer_get_length(job->piece) : 0;
    all_reads = 0;
    assert_int_equal(reader_read(job, fixture->bucket, &usual_bytes, false, quota), wanted);
    size_t bytes = job->piece != NULL ? evbuffer_get_length(job->piece) : 0;
    if (wanted == READER_DONE)
        (void)take_piece(job, reply);
    evbuffer_free(reply);
    return bytes - before;
}

/* Of values, over several calls and several jobs. */
static void multi_yields_when_the_quota_is_used(void **state)
{
    static unsigned numbers[1000];
    struct one_bucket *fixture = *state;
    (void)add(fixture, 10);
    struct job jobs[2] = {multi_job(numbers, 100), multi_job(numbers, 1000)};
    struct reader_quota quota = {.values = 300, .bytes = JOB_PIECE_BYTES};
    assert_int_equal(read_with_quota(fixture, &jobs[0], &quota, READER_DONE), 100 * 14);
    assert_int_equal(quota.values, 200);
    assert_int_equal(quota.bytes, JOB_PIECE_BYTES - 100 * 14);
    assert_int_equal(read_with_quota(fixture, &jobs[1], &quota, READER_YIELD), 200 * 14);
    assert_true(reader_quota_is_used(&quota));
    assert_int_equal(read_with_quota(fixture, &jobs[1], &quota, READER_YIELD), 0);
    assert_int_equal(all_reads, 0);
    quota = READER_QUOTA;
    assert_int_equal(read_with_quota(fixture, &jobs[1], &quota, READER_DONE), 800 * 14);
    assert_false(jobs[1].more);
    assert_int_equal(quota.values, READER_QUOTA_VALUES - 800);
    for (unsigned i = 0; i < 2; i++)
        evbuffer_free(jobs[i].offsets);
}

/* Of bytes: one value may go over it, of several no more are begun. */
static void multi_yields_when_enough_bytes_are_read(void **state)
{
    static const unsigned numbers[] = {0, 0, 0, 1, 1, 1};
    struct one_bucket *fixture = *state;
    (void)add(fixture, 900);
    (void)add(fixture, 50000);
    struct job job = multi_job(numbers, 6);
    struct reader_quota quota = {.values = 100, .bytes = 1000};
    assert_int_equal(read_with_quota(fixture, &job, &quota, READER_YIELD), 2 * 904);
    quota.bytes = 2000;
    assert_int_equal(read_with_quota(fixture, &job, &quota, READER_YIELD), 904 + 4 + 1008 + 48992);
    assert_int_equal(quota.values, 100 - 4);
    quota.bytes = 1;
    assert_int_equal(read_with_quota(fixture, &job, &quota, READER_YIELD), 4 + 1008);
    quota.bytes = JOB_PIECE_BYTES;
    assert_int_equal(read_with_quota(fixture, &job, &quota, READER_DONE), 48992 + 50004);
    assert_false(job.more);
    evbuffer_free(job.offsets);
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
        assert_int_equal(read_piece(fixture, &job), STORE_NOT_FOUND);
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

/* The value that failed has begun in an earlier piece, or in this one, or not at all. */
static void partial_value_is_counted(void **state)
{
    static const unsigned numbers[] = {0, 1};
    struct one_bucket *fixture = *state;
    (void)add(fixture, 100);
    (void)add(fixture, BYTES_MAX);
    for (unsigned pieces = 0; pieces <= 2; pieces++) {
        struct job job = multi_job(numbers, 2);
        struct evbuffer *reply = evbuffer_new();
        for (unsigned piece = 0; piece < pieces; piece++) {
            assert_int_equal(read_piece(fixture, &job), 0);
            assert_true(job.more);
            (void)take_piece(&job, reply);
        }
        one_bucket_reopen(fixture, true);
        if (pieces == 0) { /* nothing has begun, so it begins in that file */
            assert_int_equal(read_piece(fixture, &job), 0);
            (void)take_piece(&job, reply);
        } else {
            assert_int_equal(read_piece(fixture, &job), STORE_CHANGED);
            assert_false(job.more);
            assert_true(job.partial_bytes == evbuffer_get_length(reply) - (4 + 100));
        }
        evbuffer_free(job.offsets);
        evbuffer_free(reply);
    }
    temperature = COLD; /* the end of the file is not in memory either */
    struct job job = multi_job(numbers, 2);
    struct evbuffer *reply = evbuffer_new();
    int64_t short_bytes = values[1].offset + RECORD_HEADER_BYTES + 3000;
    assert_int_equal(truncate(one_bucket_path(fixture), short_bytes), 0);
    assert_int_equal(read_piece(fixture, &job), STORE_TRUNCATED);
    assert_true(job.partial_bytes == take_piece(&job, reply) - (4 + 100));
    assert_true(job.partial_bytes > 0);
    reader_fail(&job, -EIO); /* of its caller's: the same is in the middle of a value */
    assert_int_equal(job.error, -EIO);
    assert_true(job.partial_bytes == evbuffer_get_length(reply) - (4 + 100));
    evbuffer_free(job.offsets);
    evbuffer_free(reply);
}

/* Before, between and behind values; those are read, and each bad one is reported in its place. */
static void multi_goes_on_behind_each_bad_offset(void **state)
{
    static const uint64_t bad[] = {1, 1ULL << 63, UINT64_MAX};
    static const unsigned numbers[] = {1, 0, 1};
    struct one_bucket *fixture = *state;
    (void)add(fixture, 10);
    (void)add(fixture, 600);
    struct job job = multi_job(numbers, 0);
    job.errors_each = true;
    for (size_t i = 0; i < 3; i++) {
        uint64_t good = htole64((uint64_t)values[numbers[i]].offset), wrong = htole64(bad[i]);
        assert_int_equal(evbuffer_add(job.offsets, &good, sizeof(good)), 0);
        assert_int_equal(evbuffer_add(job.offsets, &wrong, sizeof(wrong)), 0);
    }
    struct evbuffer *reply = evbuffer_new();
    size_t bytes = 0;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(read_piece(fixture, &job), STORE_NOT_FOUND);
        assert_true((uint64_t)job.offset == bad[i]);
        assert_true(job.partial_bytes == 0);
        assert_true(job.more == (i < 2));
        bytes += RECORD_LENGTH_BYTES + (numbers[i] == 0 ? 10U : 600U);
        (void)take_piece(&job, reply);
        assert_true(evbuffer_get_length(reply) == bytes);
    }
    evbuffer_free(job.offsets);
    evbuffer_free(reply);
}

/* The one at hand is over; what its caller could not open is of the next. */
static void multi_goes_on_behind_a_value_that_failed(void **state)
{
    static const unsigned numbers[] = {0, 1, 0, 0};
    struct one_bucket *fixture = *state;
    (void)add(fixture, 100);
    (void)add(fixture, BYTES_MAX);
    struct job job = multi_job(numbers, 4);
    job.errors_each = true;
    struct evbuffer *reply = evbuffer_new();
    assert_int_equal(read_piece(fixture, &job), 0);
    assert_true(job.more);
    (void)take_piece(&job, reply);
    one_bucket_reopen(fixture, true);
    assert_int_equal(read_piece(fixture, &job), STORE_CHANGED);
    assert_true(job.more);
    assert_true(job.offset == values[1].offset);
    assert_true(job.partial_bytes == evbuffer_get_length(reply) - (4 + 100));
    reader_fail(&job, -EIO);
    assert_int_equal(job.error, -EIO);
    assert_true(job.more);
    assert_true(job.offset == values[0].offset);
    assert_true(job.partial_bytes == 0);
    reader_fail(&job, -EIO);
    assert_false(job.more);
    evbuffer_free(job.offsets);
    evbuffer_free(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        READER_TEST(multi_of_nothing_is_empty),
        READER_TEST(multi_of_all_lengths),
        READER_TEST(multi_of_many_short_values),
        READER_TEST(multi_of_short_values_behind_a_long_one),
        READER_TEST(multi_takes_no_piece_for_a_little),
        READER_TEST(multi_yields_when_the_quota_is_used),
        READER_TEST(multi_yields_when_enough_bytes_are_read),
        READER_TEST(multi_stops_at_the_first_bad_offset),
        READER_TEST(partial_value_is_counted),
        READER_TEST(multi_goes_on_behind_each_bad_offset),
        READER_TEST(multi_goes_on_behind_a_value_that_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
