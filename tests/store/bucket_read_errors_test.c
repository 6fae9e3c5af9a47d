/*
 * Tests of store/bucket with a kernel that misbehaves: reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/scripted_calls.h"

static void short_and_interrupted_reads_go_on(void **state)
{
    struct one_bucket *fixture = *state;
    assert_int_equal(append(fixture), 0);
    for (size_t some = 1; some < 24; some++) {
        char buffer[8];
        struct bucket_value found;
        reads = SCRIPT({EINTR, 0}, {0, some}, {EINTR, 0});
        assert_int_equal(bucket_read(fixture->bucket, 42, buffer, sizeof(buffer), some % 2, &found),
                         0);
        assert_int_equal(found.read_bytes, 8);
        assert_memory_equal(buffer, "the last", 8);
        assert_int_equal(reads.calls, 4);
    }
}

static void what_is_not_in_memory_is_not_waited_for(void **state)
{
    struct one_bucket *fixture = *state;
    char buffer[8];
    struct bucket_value found;
    assert_int_equal(append(fixture), 0);
    reads = SCRIPT({EAGAIN, 0});
    assert_int_equal(bucket_read(fixture->bucket, 42, buffer, 8, true, &found), STORE_WOULD_BLOCK);
    for (size_t some = 1; some < 24; some++) { /* only the beginning is in memory */
        reads = SCRIPT({0, some}, {EAGAIN, 0});
        assert_int_equal(bucket_read(fixture->bucket, 42, buffer, 8, true, &found),
                         STORE_WOULD_BLOCK);
    }
    reads = SCRIPT({0, 5}, {EAGAIN, 0});
    assert_int_equal(bucket_read_more(fixture->bucket, 42, 1, buffer, 7, true), STORE_WOULD_BLOCK);
    assert_int_equal(waiting_reads, 0);
    /* of a short value everything is there even if what follows it is not */
    reads = SCRIPT({0, 20}, {EAGAIN, 0});
    assert_int_equal(bucket_read(fixture->bucket, 0, buffer, 8, true, &found), 0);
    assert_int_equal(found.read_bytes, 4);
    assert_memory_equal(buffer, "1st.", 4);
}

static void file_system_without_nowait_is_waited_for(void **state)
{
    struct one_bucket *fixture = *state;
    char buffer[8];
    struct bucket_value found;
    assert_int_equal(append(fixture), 0);
    reads = SCRIPT({EOPNOTSUPP, 0});
    assert_int_equal(bucket_read(fixture->bucket, 0, buffer, 4, true, &found), 0);
    assert_int_equal(reads.calls, 2);
    assert_int_equal(waiting_reads, 1);
    reads = (struct script){0};
    assert_int_equal(bucket_read(fixture->bucket, 0, buffer, 4, true, &found), 0);
    assert_int_equal(reads.calls, 1); /* it is asked only once */
    assert_int_equal(waiting_reads, 2);
    assert_memory_equal(buffer, "1st.", 4);
}

/* The file ends with the last value: asking for more would cost a call to be told so. */
static void last_value_is_read_in_one_call(void **state)
{
    struct one_bucket *fixture = *state;
    char buffer[1000];
    struct bucket_value found;
    assert_int_equal(append(fixture), 0);
    for (int i = 0; i < 3; i++) {
        reads = (struct script){0};
        int error = bucket_read(fixture->bucket, offsets[i], buffer, sizeof(buffer), i % 2, &found);
        assert_int_equal(error, 0);
        assert_int_equal(found.read_bytes, strlen(values[i]));
        assert_int_equal(reads.calls, 1);
    }
}

static void read_error_is_told(void **state)
{
    struct one_bucket *fixture = *state;
    char buffer[8];
    struct bucket_value found;
    assert_int_equal(append(fixture), 0);
    for (int cached_only = 0; cached_only < 2; cached_only++) {
        reads = SCRIPT({0, 17}, {EIO, 0});
        assert_int_equal(bucket_read(fixture->bucket, 0, buffer, 8, cached_only, &found), -EIO);
        reads = SCRIPT({EIO, 0});
        assert_int_equal(bucket_read_more(fixture->bucket, 0, 0, buffer, 4, cached_only), -EIO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRIPTED_TEST(short_and_interrupted_reads_go_on),
        SCRIPTED_TEST(what_is_not_in_memory_is_not_waited_for),
        SCRIPTED_TEST(file_system_without_nowait_is_waited_for),
        SCRIPTED_TEST(last_value_is_read_in_one_call),
        SCRIPTED_TEST(read_error_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
