/*
 * Tests of store/bucket when all is well: offsets, the bytes in the file,
 * reading back. What may go wrong is in bucket_damage_test.c (the file) and
 * bucket_errors_test.c (the kernel).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "store/error.h"
#include "store/one_bucket.h"

static void new_bucket_is_empty(void **state)
{
    struct one_bucket *fixture = *state;
    assert_int_equal(bucket_tail(fixture->bucket), 0);
    assert_true(bucket_writable(fixture->bucket));
    assert_int_equal(one_bucket_bytes(fixture), 0);
    assert_int_equal(one_bucket_error(fixture, 0, 16, false), STORE_NOT_FOUND);
    batch_reset(&fixture->batch);
    assert_int_equal(bucket_append(fixture->bucket, &fixture->batch), 0); /* nothing: no error */
    assert_int_equal(one_bucket_bytes(fixture), 0);
}

/* A file that has gone missing must not come back empty: its offsets were handed out. */
static void missing_file_is_never_made(void **state)
{
    struct one_bucket *fixture = *state;
    struct bucket *other = NULL;
    for (int writable = 0; writable < 2; writable++) {
        assert_int_equal(bucket_open(fixture->root, "p", 4, writable, &other), STORE_NO_FILE);
        assert_int_equal(bucket_open(fixture->root, "q", 4, writable, &other), STORE_NO_FILE);
    }
    assert_null(other);
    assert_true(access(temporary_path(fixture->directory, "p/append.4.raw"), F_OK) != 0);
    assert_true(access(temporary_path(fixture->directory, "q"), F_OK) != 0);
    bucket_close(NULL);
}

static void file_has_the_bytes_of_the_format(void **state)
{
    struct one_bucket *fixture = *state;
    /* see record_test.c: 5 bytes at this time, summed by another program */
    static const uint8_t expected[] = {5,    0,    0,    0,    0x00, 0xa2, 0x56,
                                       0x7a, 0x0b, 0xf1, 0x11, 0x15, 0xa1, 0x39,
                                       0xf4, 0x07, 'h',  'e',  'l',  'l',  'o'};
    struct iovec *parts = batch_add(&fixture->batch, 1518259581000000000, 5, 2);
    parts[0] = (struct iovec){(void *)(uintptr_t) "hel", 3};
    parts[1] = (struct iovec){(void *)(uintptr_t) "lo", 2};
    assert_int_equal(bucket_append(fixture->bucket, &fixture->batch), 0);
    uint8_t bytes[64];
    int fd = open(one_bucket_path(fixture), O_RDONLY);
    assert_int_equal(read(fd, bytes, sizeof(bytes)), sizeof(expected));
    assert_memory_equal(bytes, expected, sizeof(expected));
    (void)close(fd);
}

static void records_follow_each_other_with_no_gap(void **state)
{
    struct one_bucket *fixture = *state;
    one_bucket_add(fixture, "a", 1);
    one_bucket_add(fixture, "bcdef", 5);
    one_bucket_add(fixture, "ghi", 3);
    assert_int_equal(bucket_append(fixture->bucket, &fixture->batch), 0);
    assert_int_equal(fixture->batch.records[0].offset, 0);
    assert_int_equal(fixture->batch.records[1].offset, 17);
    assert_int_equal(fixture->batch.records[2].offset, 38);
    assert_int_equal(bucket_tail(fixture->bucket), 57);
    assert_int_equal(one_bucket_bytes(fixture), 57);
    assert_int_equal(one_bucket_append(fixture, "next", 4), 57);
    one_bucket_check(fixture, 0, "a", 1);
    one_bucket_check(fixture, 17, "bcdef", 5);
    one_bucket_check(fixture, 38, "ghi", 3);
    one_bucket_check(fixture, 57, "next", 4);
}

static void reopened_bucket_goes_on_where_it_was(void **state)
{
    struct one_bucket *fixture = *state;
    assert_int_equal(one_bucket_append(fixture, "before", 6), 0);
    one_bucket_reopen(fixture, true);
    assert_int_equal(bucket_tail(fixture->bucket), 22);
    assert_int_equal(one_bucket_append(fixture, "after", 5), 22);
    one_bucket_check(fixture, 0, "before", 6);
    one_bucket_check(fixture, 22, "after", 5);
}

static void bucket_for_reading_takes_no_appends(void **state)
{
    struct one_bucket *fixture = *state;
    assert_int_equal(one_bucket_append(fixture, "value", 5), 0);
    one_bucket_reopen(fixture, false);
    assert_false(bucket_writable(fixture->bucket));
    one_bucket_check(fixture, 0, "value", 5);
    batch_reset(&fixture->batch);
    one_bucket_add(fixture, "x", 1);
    one_bucket_add(fixture, "y", 1);
    assert_int_equal(bucket_append(fixture->bucket, &fixture->batch), STORE_READ_ONLY);
    assert_int_equal(fixture->batch.records[0].error, STORE_READ_ONLY);
    assert_int_equal(fixture->batch.records[1].error, STORE_READ_ONLY);
    assert_int_equal(one_bucket_bytes(fixture), 21);
}

static char pattern(size_t i)
{
    return (char)(i * 31 + i / 251);
}

static void long_value_is_read_on_with_read_more(void **state)
{
    struct one_bucket *fixture = *state;
    static char value[100000], read_back[100000];
    for (size_t i = 0; i < sizeof(value); i++)
        value[i] = pattern(i);
    assert_int_equal(one_bucket_append(fixture, "first", 5), 0);
    assert_int_equal(one_bucket_append(fixture, value, sizeof(value)), 21);
    assert_int_equal(one_bucket_append(fixture, "last", 4), 21 + 16 + 100000);
    struct bucket_value found;
    assert_int_equal(bucket_read(fixture->bucket, 21, read_back, 1000, false, &found), 0);
    assert_int_equal(found.value_bytes, sizeof(value));
    assert_int_equal(found.read_bytes, 1000);
    assert_int_equal(bucket_read_more(fixture->bucket, 21, 1000, read_back + 1000, 50000, false),
                     0);
    assert_int_equal(bucket_read_more(fixture->bucket, 21, 51000, read_back + 51000, 49000, false),
                     0);
    assert_memory_equal(read_back, value, sizeof(value));
}

static void length_is_found_without_room_for_the_value(void **state)
{
    struct one_bucket *fixture = *state;
    assert_int_equal(one_bucket_append(fixture, "value", 5), 0);
    assert_int_equal(one_bucket_append(fixture, "other", 5), 21);
    struct bucket_value found;
    assert_int_equal(bucket_read(fixture->bucket, 0, NULL, 0, false, &found), 0);
    assert_int_equal(found.value_bytes, 5);
    assert_int_equal(found.read_bytes, 0);
}

static void buffer_is_not_written_past_its_end(void **state)
{
    struct one_bucket *fixture = *state;
    assert_int_equal(one_bucket_append(fixture, "0123456789", 10), 0);
    assert_int_equal(one_bucket_append(fixture, "0123456789", 10), 26);
    for (size_t capacity = 0; capacity <= 10; capacity++) {
        char buffer[12];
        struct bucket_value found;
        memset(buffer, '#', sizeof(buffer));
        assert_int_equal(bucket_read(fixture->bucket, 0, buffer, capacity, false, &found), 0);
        assert_int_equal(found.value_bytes, 10);
        assert_int_equal(found.read_bytes, capacity);
        assert_memory_equal(buffer, "0123456789", capacity);
        assert_int_equal(buffer[capacity], '#');
    }
}

static void more_parts_than_one_call_takes(void **state)
{
    struct one_bucket *fixture = *state;
    const size_t records = 2 * IOV_MAX + 7;
    static char bytes[256];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    for (size_t i = 0; i < records; i++) {
        size_t value_bytes = i % 3 + 1;
        struct iovec *parts = batch_add(&fixture->batch, i, (uint32_t)value_bytes, value_bytes);
        for (size_t j = 0; j < value_bytes; j++)
            parts[j] = (struct iovec){&bytes[(i + j) % 256], 1};
    }
    assert_int_equal(bucket_append(fixture->bucket, &fixture->batch), 0);
    int64_t expected = 0;
    for (size_t i = 0; i < records; i++) {
        char value[3] = {(char)i, (char)(i + 1), (char)(i + 2)};
        assert_int_equal(fixture->batch.records[i].offset, expected);
        assert_int_equal(fixture->batch.records[i].error, 0);
        one_bucket_check(fixture, expected, value, i % 3 + 1);
        expected += 16 + (int64_t)(i % 3) + 1;
    }
    assert_int_equal(one_bucket_bytes(fixture), expected);
}

static void one_value_in_more_parts_than_one_call_takes(void **state)
{
    struct one_bucket *fixture = *state;
    const size_t bytes = IOV_MAX + 1500;
    static char value[IOV_MAX + 1500];
    struct iovec *parts = batch_add(&fixture->batch, 1, (uint32_t)bytes, bytes);
    for (size_t i = 0; i < bytes; i++) {
        value[i] = pattern(i);
        parts[i] = (struct iovec){&value[i], 1};
    }
    one_bucket_add(fixture, "next", 4);
    assert_int_equal(bucket_append(fixture->bucket, &fixture->batch), 0);
    one_bucket_check(fixture, 0, value, bytes);
    assert_int_equal(fixture->batch.records[1].offset, 16 + bytes);
    one_bucket_check(fixture, 16 + (int64_t)bytes, "next", 4);
}

static void warm_file_is_read_without_waiting(void **state)
{
    struct one_bucket *fixture = *state;
    char buffer[8];
    struct bucket_value found;
    assert_int_equal(one_bucket_append(fixture, "0123456789", 10),
                     0); /* its pages are in memory now */
    assert_int_equal(bucket_read(fixture->bucket, 0, buffer, 4, true, &found), 0);
    assert_int_equal(found.value_bytes, 10);
    assert_int_equal(found.read_bytes, 4);
    assert_int_equal(bucket_read_more(fixture->bucket, 0, 4, buffer + 4, 4, true), 0);
    assert_memory_equal(buffer, "01234567", 8);
    bucket_prefetch(fixture->bucket, 0, 26); /* has no result, does no harm */
    one_bucket_check(fixture, 0, "0123456789", 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, one_bucket_set_up, one_bucket_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(new_bucket_is_empty),
        TEST(missing_file_is_never_made),
        TEST(file_has_the_bytes_of_the_format),
        TEST(records_follow_each_other_with_no_gap),
        TEST(reopened_bucket_goes_on_where_it_was),
        TEST(bucket_for_reading_takes_no_appends),
        TEST(long_value_is_read_on_with_read_more),
        TEST(length_is_found_without_room_for_the_value),
        TEST(buffer_is_not_written_past_its_end),
        TEST(more_parts_than_one_call_takes),
        TEST(one_value_in_more_parts_than_one_call_takes),
        TEST(warm_file_is_read_without_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
