/*
 * Tests of the checkpoints of store/tail: when they are written, and which of them are believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/one_tail.h"

/* The checkpoint may be of a record that could not be synced: the next append writes another. */
static void a_record_that_is_undone_leaves_no_checkpoint(void **state)
{
    struct one_bucket *fixture = *state;
    needs_attributes(fixture);
    assert_int_equal(one_bucket_append(fixture, "first", 5), 0);
    for (int i = 0; i < 63; i++)
        (void)one_bucket_append(fixture, "some", 4);
    int64_t end = bucket_tail(fixture->bucket);
    assert_int_equal(one_bucket_append(fixture, large, sizeof(large)), end);
    assert_int_equal(checkpoint_of(fixture), end);
    bucket_rollback(fixture->bucket, end);
    assert_int_equal(one_bucket_append(fixture, "next", 4), end);
    assert_int_equal(checkpoint_of(fixture), end);
    int64_t bytes;
    one_bucket_reopen(fixture, true);
    const struct tail *found = bucket_found(fixture->bucket, &bytes);
    assert_int_equal(found->state, TAIL_WHOLE);
    assert_int_equal(found->checkpoint, end);
}

static void a_checkpoint_is_written_now_and_then(void **state)
{
    struct one_bucket *fixture = *state;
    needs_attributes(fixture);
    assert_int_equal(checkpoint_of(fixture), -1);
    assert_int_equal(one_bucket_append(fixture, "the first", 9), 0);
    assert_int_equal(checkpoint_of(fixture), 0);
    unsigned checkpoints = 0;
    int64_t checkpoint = 0;
    for (unsigned i = 0; i < 3000; i++) {
        int64_t offset = one_bucket_append(fixture, large, 2000);
        if (checkpoint_of(fixture) != checkpoint) {
            assert_int_equal(checkpoint_of(fixture), offset);
            assert_true(offset - checkpoint >= MIB - 2016);
            checkpoint = offset;
            checkpoints++;
        }
    }
    assert_int_equal(checkpoints, 3000 * 2016 / MIB);
    assert_int_equal(one_bucket_append(fixture, "the last", 8), 25 + 3000 * 2016);
    cut_file(fixture, 25 + 3000 * 2016 + 20);
    assert_found(fixture, TAIL_TORN, 25 + 3000 * 2016);
}

/* Not each long value gets one: that would be a call more for every append. */
static void long_values_get_few_checkpoints(void **state)
{
    struct one_bucket *fixture = *state;
    needs_attributes(fixture);
    assert_int_equal(one_bucket_append(fixture, large, sizeof(large)), 0);
    int64_t checkpoint = 0;
    unsigned checkpoints = 0;
    for (unsigned i = 0; i < 130; i++) {
        (void)one_bucket_append(fixture, large, sizeof(large));
        checkpoints += checkpoint_of(fixture) != checkpoint;
        checkpoint = checkpoint_of(fixture);
    }
    assert_int_equal(checkpoints, 2);
}

/* Files without a checkpoint are followed for a while; a longer one is left alone, and gets one. */
static void long_way_is_given_up(void **state)
{
    struct one_bucket *fixture = *state;
    needs_attributes(fixture);
    for (unsigned i = 0; i < 300; i++)
        (void)one_bucket_append(fixture, large, 5000);
    const int64_t end = 300 * 5016;
    cut_file(fixture, end - 10);
    assert_int_equal(removexattr(one_bucket_path(fixture), CHECKPOINT), 0);
    assert_found(fixture, TAIL_NOT_REACHED, end - 10);
    assert_int_equal(checkpoint_of(fixture), -1);
    assert_int_equal(one_bucket_append(fixture, "after", 5), end - 10);
    assert_int_equal(checkpoint_of(fixture), end - 10); /* from now on it is known */
    assert_found(fixture, TAIL_WHOLE, end + 11);
    cut_file(fixture, end + 7);
    assert_found(fixture, TAIL_TORN, end - 10);
}

static void wrong_checkpoints_are_ignored(void **state)
{
    struct one_bucket *fixture = *state;
    needs_attributes(fixture);
    uint8_t value[100], good[24], checkpoint[25];
    struct record_header header = {1000, 1};
    memset(value, 0, sizeof(value));
    record_header_encode(&header, value + 40); /* a trap: it seems to be cut short */
    assert_int_equal(one_bucket_append(fixture, "before", 6), 0);
    assert_int_equal(one_bucket_append(fixture, value, sizeof(value)), 22);
    const char *path = one_bucket_path(fixture);
    assert_int_equal(getxattr(path, CHECKPOINT, good, sizeof(good)), sizeof(good));
    static const int64_t offsets[] = {22, 78, 137, 138, 1000, -1, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        memcpy(checkpoint, good, sizeof(good));
        memcpy(checkpoint, &offsets[i], sizeof(offsets[i]));
        assert_int_equal(setxattr(path, CHECKPOINT, checkpoint, 24, 0), 0);
        assert_found(fixture, TAIL_WHOLE, 138);
    }
    for (size_t bytes = 0; bytes <= sizeof(checkpoint); bytes++) {
        if (bytes == 24)
            continue;
        assert_int_equal(setxattr(path, CHECKPOINT, checkpoint, bytes, 0), 0);
        assert_found(fixture, TAIL_WHOLE, 138);
    }
    one_bucket_check(fixture, 22, value, sizeof(value));
}

/* The file's content was replaced in place, and it is not even one of records. */
static void foreign_content_stays(void **state)
{
    struct one_bucket *fixture = *state;
    for (unsigned i = 0; i < 100; i++)
        (void)one_bucket_append(fixture, "value", 5);
    char text[500];
    memset(text, 't', sizeof(text));
    cut_file(fixture, 0);
    scribble(fixture, text, sizeof(text), 0);
    assert_found(fixture, TAIL_DAMAGED, 500);
    assert_int_equal(one_bucket_append(fixture, "value", 5), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAIL_TEST(a_record_that_is_undone_leaves_no_checkpoint),
        TAIL_TEST(a_checkpoint_is_written_now_and_then),
        TAIL_TEST(long_values_get_few_checkpoints),
        TAIL_TEST(long_way_is_given_up),
        TAIL_TEST(wrong_checkpoints_are_ignored),
        TAIL_TEST(foreign_content_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
