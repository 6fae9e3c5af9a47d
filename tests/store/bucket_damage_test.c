/*
 * Tests of store/bucket on files that are not as they should be: offsets where
 * no record starts, records that were cut short, a file that takes no more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "store/error.h"
#include "store/one_bucket.h"

static void offsets_that_are_no_record(void **state)
{
    struct one_bucket *fixture = *state;
    char value[40];
    memset(value, 7, sizeof(value));
    assert_int_equal(one_bucket_append(fixture, value, sizeof(value)), 0);
    assert_int_equal(one_bucket_append(fixture, value, sizeof(value)), 56);
    static const int64_t far[] = {-1, -16, INT64_MIN, 112, 113, 1000, INT64_MAX, INT64_MAX - 15};
    for (int cached_only = 0; cached_only < 2; cached_only++) {
        for (int64_t offset = 0; offset < 112; offset++)
            if (offset != 0 && offset != 56)
                assert_int_equal(one_bucket_error(fixture, offset, 64, cached_only),
                                 STORE_NOT_FOUND);
        for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++)
            assert_int_equal(one_bucket_error(fixture, far[i], 64, cached_only), STORE_NOT_FOUND);
    }
    one_bucket_check(fixture, 0, value, sizeof(value));
    one_bucket_check(fixture, 56, value, sizeof(value));
}

static void file_cut_short_behind_our_back(void **state)
{
    struct one_bucket *fixture = *state;
    static char value[3000];
    assert_int_equal(one_bucket_append(fixture, value, sizeof(value)), 0);
    assert_int_equal(one_bucket_append(fixture, value, sizeof(value)), 3016);
    /* inside the second value, inside its header, inside the first value, everything */
    static const off_t lengths[] = {6031, 3032, 3020, 3016, 2000, 0};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        assert_int_equal(truncate(one_bucket_path(fixture), lengths[i]), 0);
        assert_int_equal(one_bucket_error(fixture, 3016, 3000, false), STORE_TRUNCATED);
        assert_int_equal(one_bucket_error(fixture, 3016, 3000, true),
                         STORE_WOULD_BLOCK); /* cannot tell yet */
        if (lengths[i] >= 3016)
            one_bucket_check(fixture, 0, value, sizeof(value));
        else
            assert_int_equal(one_bucket_error(fixture, 0, 3000, false), STORE_TRUNCATED);
    }
    char buffer[10];
    assert_int_equal(bucket_read_more(fixture->bucket, 0, 2990, buffer, 10, false),
                     STORE_TRUNCATED);
}

/* Both records of a batch must fail with this. */
static void assert_append_fails(struct one_bucket *fixture, int error)
{
    batch_reset(&fixture->batch);
    one_bucket_add(fixture, "lost", 4);
    one_bucket_add(fixture, "lost too", 8);
    assert_int_equal(bucket_append(fixture->bucket, &fixture->batch), error);
    assert_int_equal(fixture->batch.records[0].error, error);
    assert_int_equal(fixture->batch.records[1].error, error);
}

static void deleted_file_gets_no_more(void **state)
{
    struct one_bucket *fixture = *state;
    assert_int_equal(one_bucket_append(fixture, "before", 6), 0);
    assert_int_equal(unlink(one_bucket_path(fixture)), 0);
    for (int i = 0; i < 2; i++)
        assert_append_fails(fixture, STORE_NO_FILE);
    assert_int_equal(bucket_tail(fixture->bucket), 22);
    one_bucket_check(fixture, 0, "before", 6); /* the bytes that were acknowledged */
    bucket_close(fixture->bucket);
    fixture->bucket = NULL;
    assert_int_equal(bucket_open(fixture->root, "p", 3, true, &fixture->bucket), STORE_NO_FILE);
}

static void replaced_file_is_taken_when_opened_anew(void **state)
{
    struct one_bucket *fixture = *state;
    char spare[TEMPORARY_PATH_BYTES];
    (void)strcpy(spare, temporary_path(fixture->directory, "spare"));
    assert_int_equal(one_bucket_append(fixture, "same", 4), 0);
    assert_int_equal(link(one_bucket_path(fixture), spare), 0);
    assert_int_equal(one_bucket_append(fixture, "old", 3), 20);
    assert_int_equal(unlink(one_bucket_path(fixture)), 0);
    assert_append_fails(fixture,
                        STORE_NO_FILE); /* it still has a name, but not the one that is read */

    int fd = open(one_bucket_path(fixture), O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_append_fails(fixture, STORE_NO_FILE);
    assert_int_equal(one_bucket_bytes(fixture), 0);
    assert_int_equal(unlink(spare), 0);
    assert_append_fails(fixture, STORE_NO_FILE);
    one_bucket_check(fixture, 20, "old", 3);
    one_bucket_reopen(fixture, true);
    assert_int_equal(one_bucket_error(fixture, 20, 100, false), STORE_NOT_FOUND);
    assert_int_equal(one_bucket_append(fixture, "new", 3), 0);
    one_bucket_check(fixture, 0, "new", 3);
}

/* With all that is in it, to come back to its place. */
static void file_in_a_moved_directory_gets_no_more(void **state)
{
    struct one_bucket *fixture = *state;
    char place[TEMPORARY_PATH_BYTES], aside[TEMPORARY_PATH_BYTES];
    (void)strcpy(place, one_bucket_path(fixture));
    *strrchr(place, '/') = '\0';
    (void)strcpy(aside, temporary_path(fixture->directory, "aside"));
    assert_int_equal(one_bucket_append(fixture, "first", 5), 0);
    assert_int_equal(rename(place, aside), 0);
    assert_append_fails(fixture, STORE_NO_FILE);
    int fd = open(place, O_WRONLY | O_CREAT, 0600); /* a file where the directory was */
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_append_fails(fixture, STORE_NO_FILE);
    assert_int_equal(unlink(place), 0);
    assert_int_equal(rename(aside, place), 0);
    assert_int_equal(one_bucket_append(fixture, "second", 6), 21);
    one_bucket_check(fixture, 21, "second", 6);
}

static void file_of_another_length_gets_no_more(void **state)
{
    struct one_bucket *fixture = *state;
    assert_int_equal(one_bucket_append(fixture, "first", 5), 0);
    assert_int_equal(one_bucket_append(fixture, "second", 6), 21);
    static const off_t lengths[] = {0, 21, 42, 44, 100};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        assert_int_equal(truncate(one_bucket_path(fixture), lengths[i]), 0);
        assert_append_fails(fixture, STORE_CHANGED);
        assert_int_equal(one_bucket_bytes(fixture), lengths[i]);
    }
    assert_int_equal(truncate(one_bucket_path(fixture), 21), 0);
    one_bucket_reopen(fixture, true); /* somebody has said that this is how it should be */
    assert_int_equal(one_bucket_append(fixture, "other", 5), 21);
    one_bucket_check(fixture, 21, "other", 5);
}

static void length_past_the_end(void **state)
{
    struct one_bucket *fixture = *state;
    static char value[3000];
    assert_int_equal(one_bucket_append(fixture, "whole", 5), 0);
    assert_int_equal(one_bucket_append(fixture, value, sizeof(value)), 21);
    /* as a crash leaves it: the record was cut before this process opened the file */
    static const off_t cuts[] = {1, 1500, 2999, 3000};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        assert_int_equal(truncate(one_bucket_path(fixture), 21 + 16 + 3000 - cuts[i]), 0);
        one_bucket_reopen(fixture, false); /* for reading it stays as it is */
        for (size_t capacity = 0; capacity <= 4096; capacity += 2048) {
            assert_int_equal(one_bucket_error(fixture, 21, capacity, false), STORE_TRUNCATED);
            assert_int_equal(one_bucket_error(fixture, 21, capacity, true), STORE_TRUNCATED);
        }
    }
    one_bucket_check(fixture, 0, "whole", 5);
    /* less than a header is left of it: no record starts there */
    assert_int_equal(truncate(one_bucket_path(fixture), 21 + 15), 0);
    one_bucket_reopen(fixture, false);
    assert_int_equal(one_bucket_error(fixture, 21, 100, false), STORE_NOT_FOUND);
}

static void huge_length_allocates_and_reads_nothing(void **state)
{
    struct one_bucket *fixture = *state;
    struct record_header header = {UINT32_MAX, 1};
    uint8_t bytes[RECORD_HEADER_BYTES + 100] = {0};
    record_header_encode(&header, bytes);
    bucket_close(fixture->bucket);
    int fd = open(one_bucket_path(fixture), O_WRONLY);
    assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
    (void)close(fd);
    assert_int_equal(bucket_open(fixture->root, "p", 3, false, &fixture->bucket), 0);
    assert_int_equal(one_bucket_error(fixture, 0, 64, false), STORE_TRUNCATED);
}

/*
 * Five records of 100 bytes, and room for `room` bytes in the file: what fits must stay, what does
 * not must leave no trace.
 */
static void fill_up(struct one_bucket *fixture, rlim_t room, size_t whole)
{
    char values[5][84];
    struct rlimit before, limit;
    int64_t tail = bucket_tail(fixture->bucket);
    batch_reset(&fixture->batch);
    for (size_t i = 0; i < 5; i++) {
        memset(values[i], 'a' + (int)i, sizeof(values[i]));
        one_bucket_add(fixture, values[i], sizeof(values[i]));
    }
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){(rlim_t)tail + room, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int error = bucket_append(fixture->bucket, &fixture->batch);
    /* at once, or the limit would hold for this program's own output too */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

    assert_int_equal(error, whole < 5 ? -EFBIG : 0);
    assert_int_equal(bucket_tail(fixture->bucket), tail + 100 * (int64_t)whole);
    assert_int_equal(one_bucket_bytes(fixture), bucket_tail(fixture->bucket));
    for (size_t i = 0; i < 5; i++) {
        const struct batch_record *record = &fixture->batch.records[i];
        assert_int_equal(record->error, i < whole ? 0 : -EFBIG);
        if (i < whole) {
            assert_int_equal(record->offset, tail + 100 * (int64_t)i);
            one_bucket_check(fixture, record->offset, values[i], sizeof(values[i]));
        } else {
            assert_int_equal(one_bucket_error(fixture, tail + 100 * (int64_t)i, 84, false),
                             STORE_NOT_FOUND);
        }
    }
    tail = bucket_tail(fixture->bucket);
    assert_int_equal(one_bucket_append(fixture, "room again", 10), tail);
    one_bucket_check(fixture, tail, "room again", 10);
}

static void write_that_fails_half_way(void **state)
{
    struct one_bucket *fixture = *state;
    static const struct {
        rlim_t room;
        size_t whole;
    } table[] = {
        {0, 0},   {1, 0},   {15, 0},  {16, 0},  {17, 0},  {99, 0},  {100, 1}, {101, 1},
        {216, 2}, {250, 2}, {299, 2}, {300, 3}, {301, 3}, {400, 4}, {499, 4}, {500, 5},
    };
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_true(before != SIG_ERR);
    (void)one_bucket_append(fixture, "there already", 13);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        fill_up(fixture, table[i].room, table[i].whole);
    one_bucket_check(fixture, 0, "there already", 13);
    (void)signal(SIGXFSZ, before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, one_bucket_set_up, one_bucket_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(offsets_that_are_no_record),
        TEST(file_cut_short_behind_our_back),
        TEST(deleted_file_gets_no_more),
        TEST(replaced_file_is_taken_when_opened_anew),
        TEST(file_in_a_moved_directory_gets_no_more),
        TEST(file_of_another_length_gets_no_more),
        TEST(length_past_the_end),
        TEST(huge_length_allocates_and_reads_nothing),
        TEST(write_that_fails_half_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
