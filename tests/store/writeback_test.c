/*
 * Tests of store/writeback and of buckets that use it: this program brings its
 * own sync_file_range, which writes down what it is asked for, or fails, and
 * takes as long as the test wishes, by a clock of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/one_bucket.h"
#include "store/record.h"
#include "store/writeback.h"

#define FD 1000 /* of no file: that it is handed on is all there is to it */
#define CALLS_MAX 64
#define VALUE_BYTES 1000

static struct call {
    int fd;
    off_t offset, bytes;
    unsigned flags;
} calls[CALLS_MAX];
static size_t call_count;
static int fail_with; /* errno, 0: all is well */
static int64_t clock_ns, call_takes_ns;
static int64_t not_before_ns;

int sync_file_range(int fd, off_t offset, off_t bytes, unsigned flags)
{
    assert_true(call_count < CALLS_MAX);
    calls[call_count++] = (struct call){fd, offset, bytes, flags};
    clock_ns += call_takes_ns;
    errno = fail_with;
    return fail_with != 0 ? -1 : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    (void)clock;
    *now = (struct timespec){clock_ns / 1000000000, clock_ns % 1000000000};
    return 0;
}

static int64_t page;

static int set_up(void **state)
{
    page = sysconf(_SC_PAGESIZE);
    call_count = 0;
    fail_with = 0;
    clock_ns = call_takes_ns = not_before_ns = 0;
    return one_bucket_set_up(state);
}

static void assert_told(size_t call, int64_t offset, int64_t bytes)
{
    assert_true(call < call_count);
    assert_int_equal(calls[call].fd, FD);
    assert_int_equal(calls[call].offset, offset);
    assert_int_equal(calls[call].bytes, bytes);
    assert_int_equal(calls[call].flags, SYNC_FILE_RANGE_WRITE); /* it must not wait, nor ask */
}

static void told_when_enough_pages_are_whole(void **state)
{
    struct writeback writeback;
    (void)state;
    writeback_start(&writeback, 4 * page, 0, &not_before_ns);
    writeback_move(&writeback, FD, 0);
    writeback_move(&writeback, FD, 1);
    writeback_move(&writeback, FD, 4 * page - 1);
    assert_int_equal(call_count, 0);
    writeback_move(&writeback, FD, 4 * page);
    assert_int_equal(call_count, 1);
    assert_told(0, 0, 4 * page);
    writeback_move(&writeback, FD, 8 * page - 1);
    assert_int_equal(call_count, 1);
    writeback_move(&writeback, FD, 100 * page + 1); /* much at once is one call */
    assert_int_equal(call_count, 2);
    assert_told(1, 4 * page, 96 * page);
    writeback_move(&writeback, FD, 104 * page - 1);
    assert_int_equal(call_count, 2);
}

/* Ranges follow each other without a gap, and end where the last whole page ends. */
static void every_page_is_told_of_once(void **state)
{
    struct writeback writeback;
    int64_t every_bytes = 3 * page + 1, tail = 5 * page + 7, told = 5 * page, first = tail;
    (void)state;
    writeback_start(&writeback, every_bytes, tail, &not_before_ns);
    for (size_t seen = 0; seen < 20;) {
        tail += 777;
        writeback_move(&writeback, FD, tail);
        if (seen == call_count) {
            assert_true(tail / page * page - told < every_bytes);
            continue;
        }
        assert_told(seen++, told, tail / page * page - told);
        assert_true(tail / page * page - told >= every_bytes);
        told = tail / page * page;
    }
    assert_true(tail - first > 20 * every_bytes);
}

static void less_than_a_page_tells_of_whole_pages_all_the_same(void **state)
{
    struct writeback writeback;
    (void)state;
    writeback_start(&writeback, 1, 0, &not_before_ns);
    writeback_move(&writeback, FD, page - 1);
    assert_int_equal(call_count, 0);
    writeback_move(&writeback, FD, page + 1);
    writeback_move(&writeback, FD, page + 2);
    assert_int_equal(call_count, 1);
    assert_told(0, 0, page);
}

static void zero_leaves_the_kernel_alone(void **state)
{
    struct writeback writeback;
    (void)state;
    writeback_start(&writeback, 0, 0, &not_before_ns);
    writeback_move(&writeback, FD, INT64_MAX);
    writeback_start(&writeback, INT64_MAX, 0, &not_before_ns); /* and this is never reached */
    writeback_move(&writeback, FD, INT64_MAX - page);
    assert_int_equal(call_count, 0);
}

/* What is appended where something was taken back has pages that were not told of. */
static void what_was_taken_back_is_told_of_anew(void **state)
{
    struct writeback writeback;
    (void)state;
    writeback_start(&writeback, 4 * page, 0, &not_before_ns);
    writeback_move(&writeback, FD, 8 * page);
    writeback_move(&writeback, FD, 5 * page + 3);
    writeback_move(&writeback, FD, 9 * page - 1);
    assert_int_equal(call_count, 1);
    writeback_move(&writeback, FD, 9 * page);
    assert_int_equal(call_count, 2);
    assert_told(1, 5 * page, 4 * page);
}

/* The time is that of a thread, however many files it writes to. */
static void pause_is_for_all_files(void **state)
{
    struct writeback one, other;
    (void)state;
    writeback_start(&one, page, 0, &not_before_ns);
    writeback_start(&other, page, 0, &not_before_ns);
    call_takes_ns = 1000;
    writeback_move(&one, FD, page);
    assert_int_equal(call_count, 1);
    writeback_move(&other, FD, page);
    assert_int_equal(call_count, 1);
    clock_ns += 7 * call_takes_ns;
    writeback_move(&other, FD, page);
    assert_int_equal(call_count, 2);
}

static void failure_is_not_tried_again(void **state)
{
    struct writeback writeback;
    (void)state;
    writeback_start(&writeback, 2 * page, 0, &not_before_ns);
    fail_with = EIO;
    writeback_move(&writeback, FD, 2 * page);
    writeback_move(&writeback, FD, 2 * page + 1);
    assert_int_equal(call_count, 1);
    fail_with = 0;
    writeback_move(&writeback, FD, 4 * page);
    assert_int_equal(call_count, 2);
    assert_told(1, 2 * page, 2 * page);
}

/* So it takes an eighth of the time at most, and what was left out is told of in the end. */
static void long_call_is_followed_by_a_pause(void **state)
{
    struct writeback writeback;
    (void)state;
    writeback_start(&writeback, 2 * page, 0, &not_before_ns);
    int64_t tail = 0, told = 0;
    for (size_t seen = 0; seen < 5; seen++) {
        call_takes_ns = 1000 * (int64_t)seen + 900000000; /* begins and ends in other seconds */
        tail += 2 * page;
        writeback_move(&writeback, FD, tail);
        assert_int_equal(call_count, seen + 1);
        assert_told(seen, told, tail - told);
        told = tail;
        clock_ns += 7 * call_takes_ns - 1;
        tail += 3 * page;
        writeback_move(&writeback, FD, tail);
        assert_int_equal(call_count, seen + 1);
        clock_ns++;
    }
}

/* Appends until the kernel was told `times` times more. */
static void append_until_told(struct one_bucket *fixture, size_t times)
{
    static const char value[VALUE_BYTES];
    int64_t told = call_count > 0 ? calls[call_count - 1].offset + calls[call_count - 1].bytes
                                  : bucket_tail(fixture->bucket) / page * page;
    for (size_t wanted = call_count + times; call_count < wanted;) {
        size_t before = call_count;
        int64_t tail = bucket_tail(fixture->bucket);
        assert_int_equal(one_bucket_append(fixture, value, sizeof(value)), tail);
        one_bucket_check(fixture, tail, value, sizeof(value));
        tail += RECORD_HEADER_BYTES + VALUE_BYTES;
        assert_int_equal(call_count, before + (tail / page * page - told >= 4 * page));
        if (call_count == before)
            continue;
        assert_int_equal(calls[before].offset, told);
        assert_int_equal(calls[before].bytes, tail / page * page - told);
        assert_int_equal(calls[before].flags, SYNC_FILE_RANGE_WRITE);
        told = tail / page * page;
    }
}

static void bucket_tells_as_it_grows(void **state)
{
    struct one_bucket *fixture = *state;
    bucket_write_behind(fixture->bucket, 4 * page, &not_before_ns);
    append_until_told(fixture, 5);
    bucket_suspend(fixture->bucket); /* and goes on where it was */
    assert_int_equal(bucket_resume(fixture->bucket, fixture->root, "p", 3), 0);
    append_until_told(fixture, 2);
    one_bucket_reopen(fixture, true);
    size_t before = call_count;
    for (int i = 0; i < 100; i++) /* that bucket was not asked to */
        (void)one_bucket_append(fixture, "x", 1);
    assert_int_equal(call_count, before);
}

/* What was there before is none of its business. */
static void bucket_begins_at_the_tail(void **state)
{
    static const char value[VALUE_BYTES];
    struct one_bucket *fixture = *state;
    for (int i = 0; i < 100; i++)
        (void)one_bucket_append(fixture, value, sizeof(value));
    int64_t tail = bucket_tail(fixture->bucket);
    bucket_write_behind(fixture->bucket, 4 * page, &not_before_ns);
    append_until_told(fixture, 1);
    assert_int_equal(calls[0].offset, tail / page * page);
}

static void failure_is_not_the_append_s(void **state)
{
    static const int errors[] = {EIO, ENOSPC, EINVAL, ENOSYS, ENOMEM, ESPIPE, EINTR};
    struct one_bucket *fixture = *state;
    bucket_write_behind(fixture->bucket, 4 * page, &not_before_ns);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        fail_with = errors[i];
        append_until_told(fixture, 2);
        assert_false(bucket_broken(fixture->bucket));
    }
    assert_int_equal(call_count, 14);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, one_bucket_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(told_when_enough_pages_are_whole),
        TEST(every_page_is_told_of_once),
        TEST(less_than_a_page_tells_of_whole_pages_all_the_same),
        TEST(zero_leaves_the_kernel_alone),
        TEST(what_was_taken_back_is_told_of_anew),
        TEST(pause_is_for_all_files),
        TEST(failure_is_not_tried_again),
        TEST(long_call_is_followed_by_a_pause),
        TEST(bucket_tells_as_it_grows),
        TEST(bucket_begins_at_the_tail),
        TEST(failure_is_not_the_append_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
