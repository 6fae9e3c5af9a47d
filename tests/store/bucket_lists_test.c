/*
 * Tests of store/bucket with lists of values in a batch, and with records that expect an end: what
 * is in the file after writes that are short or fail at every byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <endian.h>
#include <stdlib.h>

#include "store/scripted_calls.h"

/* Two values, 22 and 24 bytes as records. */
static const char list[] = "\6\0\0\0second\x8\0\0\0the last";
#define LIST_BYTES (sizeof(list) - 1)
#define LIST_RECORD_BYTES 46

static uint64_t places[2];

static void add_list(struct one_bucket *fixture, size_t segment_bytes)
{
    static const struct value_list_content content = {
        .count = 2, .last_bytes = 8, .value_bytes = 14};
    size_t segments = (LIST_BYTES + segment_bytes - 1) / segment_bytes;
    struct iovec *room = batch_add_list(&fixture->batch, 1, &content, places, segments);
    assert_non_null(room);
    for (size_t i = 0, at = 0; i < segments; i++, at += segment_bytes) {
        size_t bytes = LIST_BYTES - at < segment_bytes ? LIST_BYTES - at : segment_bytes;
        room[i] = (struct iovec){(void *)(uintptr_t)(list + at), bytes};
    }
}

/* A record before and one behind: 20, 46 and 20 bytes. */
static int append_between(struct one_bucket *fixture, size_t segment_bytes)
{
    batch_reset(&fixture->batch);
    one_bucket_add(fixture, "1st.", 4);
    add_list(fixture, segment_bytes);
    one_bucket_add(fixture, "end.", 4);
    assert_int_equal(fixture->batch.bytes, 86);
    return bucket_append(fixture->bucket, &fixture->batch);
}

static void assert_list_at(struct one_bucket *fixture, int64_t base)
{
    assert_int_equal(le64toh(places[0]), base);
    assert_int_equal(le64toh(places[1]), base + 22);
    one_bucket_check(fixture, base, "second", 6);
    one_bucket_check(fixture, base + 22, "the last", 8);
}

static void list_is_between_the_others(void **state)
{
    struct one_bucket *fixture = *state;
    int64_t base = 0;
    for (size_t segment = 1; segment <= LIST_BYTES; segment++, base += 86) {
        assert_int_equal(append_between(fixture, segment), 0);
        assert_int_equal(fixture->batch.records[1].offset, base + 20);
        assert_int_equal(fixture->batch.records[2].offset, base + 66);
        one_bucket_check(fixture, base, "1st.", 4);
        assert_list_at(fixture, base + 20);
        one_bucket_check(fixture, base + 66, "end.", 4);
        assert_int_equal(bucket_tail(fixture->bucket), base + 86);
        assert_int_equal(batch_written_bytes(&fixture->batch), 86);
    }
    assert_int_equal(writes.calls, LIST_BYTES); /* one a batch */
}

static void short_writes_go_on(void **state)
{
    struct one_bucket *fixture = *state;
    for (size_t some = 1; some <= 86; some++) {
        writes = SCRIPT({EINTR, 0}, {0, some}, {EINTR, 0});
        int64_t base = bucket_tail(fixture->bucket);
        assert_int_equal(append_between(fixture, some % LIST_BYTES + 1), 0);
        assert_list_at(fixture, base + 20);
        assert_int_equal(bucket_tail(fixture->bucket), base + 86);
    }
}

/* Never one value of a list without the other. */
static void list_is_cut_back_as_a_whole(void **state)
{
    static const int errors[] = {ENOSPC, EDQUOT, EIO, EFBIG};
    struct one_bucket *fixture = *state;
    int64_t base = 0;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        for (size_t some = 1; some < 86; some++) {
            writes = SCRIPT({0, some}, {errors[i], 0});
            assert_int_equal(append_between(fixture, some % LIST_BYTES + 1), -errors[i]);
            size_t whole = some < 20 ? 0 : some < 66 ? 1 : 2;
            for (size_t record = 0; record < 3; record++)
                assert_int_equal(fixture->batch.records[record].error,
                                 record < whole ? 0 : -errors[i]);
            base += whole == 0 ? 0 : whole == 1 ? 20 : 66;
            assert_int_equal(bucket_tail(fixture->bucket), base);
            assert_int_equal(one_bucket_bytes(fixture), base);
            if (whole == 2)
                assert_list_at(fixture, base - LIST_RECORD_BYTES);
        }
    }
}

#define MANY 2000
#define MANY_CALLS ((2 * MANY + IOV_MAX - 1) / IOV_MAX)

/* One batch of many values of 1 byte, in one segment: two parts each. */
static int append_many(struct one_bucket *fixture, uint64_t many_places[MANY])
{
    static const struct value_list_content content = {
        .count = MANY, .last_bytes = 1, .value_bytes = MANY};
    static char body[5 * MANY];
    for (size_t i = 0; i < MANY; i++)
        memcpy(body + 5 * i, (const char[5]){1, 0, 0, 0, (char)(i % 100)}, 5);
    batch_reset(&fixture->batch);
    struct iovec *room = batch_add_list(&fixture->batch, 1, &content, many_places, 1);
    assert_non_null(room);
    *room = (struct iovec){body, sizeof(body)};
    return bucket_append(fixture->bucket, &fixture->batch);
}

/* More parts than a call takes: the Nth call fails, for N = 1, 2, ... until none does, after whole
 * calls and after short ones. */
static void many_calls_are_cut_back_as_one(void **state)
{
    static uint64_t many_places[MANY];
    struct one_bucket *fixture = *state;
    int64_t base = one_bucket_append(fixture, "before", 6) + 22;
    for (size_t nth = 1; nth <= 2 * MANY_CALLS + 1; nth++) {
        struct step steps[2 * MANY_CALLS + 1];
        bool is_short = nth % 2 == 0;
        for (size_t i = 0; i < 2 * MANY_CALLS + 1; i++)
            steps[i] = (struct step){i + 1 == nth ? ENOSPC : 0, is_short && i % 2 == 0 ? 500 : ALL};
        writes = (struct script){steps, 2 * MANY_CALLS + 1, 0};
        int error = append_many(fixture, many_places);
        if (writes.calls < nth) {
            assert_int_equal(error, 0);
            assert_true(writes.calls >= MANY_CALLS);
            for (size_t i = 0; i < MANY; i++)
                assert_int_equal(le64toh(many_places[i]), base + 17 * (int64_t)i);
            one_bucket_check(fixture, base + 17 * (MANY - 1), &(char){(MANY - 1) % 100}, 1);
            base += 17 * MANY;
        } else {
            assert_int_equal(error, -ENOSPC);
        }
        assert_int_equal(bucket_tail(fixture->bucket), base);
        assert_int_equal(one_bucket_bytes(fixture), base);
    }
    assert_true(base > 22);
    writes = (struct script){0};
    assert_int_equal(append_many(fixture, many_places), 0);
    assert_int_equal(writes.calls, MANY_CALLS);
}

/* The checkpoint is the last value's: the file is opened from there. */
static void list_leaves_a_checkpoint(void **state)
{
    static uint64_t many_places[MANY];
    struct one_bucket *fixture = *state;
    assert_int_equal(append_many(fixture, many_places), 0);
    int64_t bytes;
    one_bucket_reopen(fixture, true);
    const struct tail *found = bucket_found(fixture->bucket, &bytes);
    assert_int_equal(bytes, 17 * MANY);
    assert_int_equal(found->state, TAIL_WHOLE);
    assert_int_equal(found->checkpoint, 17 * (MANY - 1));
}

/* Adds "1st.", which is 20 bytes, for that end only. */
static void add_expecting(struct one_bucket *fixture, int64_t end)
{
    one_bucket_add(fixture, "1st.", 4);
    batch_expect(&fixture->batch, end);
}

static void those_before_in_the_batch_count(void **state)
{
    struct one_bucket *fixture = *state;
    add_expecting(fixture, 1);
    add_expecting(fixture, 0);
    add_expecting(fixture, 0);
    one_bucket_add(fixture, "end.", 4);
    add_list(fixture, 3);
    batch_expect(&fixture->batch, 20);
    add_list(fixture, 3);
    batch_expect(&fixture->batch, 40);
    add_expecting(fixture, INT64_MAX);
    add_expecting(fixture, 86);
    assert_int_equal(bucket_append(fixture->bucket, &fixture->batch), 0);
    static const int64_t ends[] = {0, 0, 20, 20, 40, 40, 86, 86};
    static const bool written[] = {false, true, false, true, false, true, false, true};
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(fixture->batch.records[i].offset, ends[i]);
        assert_int_equal(fixture->batch.records[i].error, written[i] ? 0 : STORE_OTHER_END);
    }
    assert_int_equal(writes.calls, 1);
    assert_list_at(fixture, 40);
    assert_int_equal(one_bucket_bytes(fixture), 106);
    assert_int_equal(batch_written_bytes(&fixture->batch), 106);
}

static void nothing_expected_is_no_write(void **state)
{
    struct one_bucket *fixture = *state;
    add_expecting(fixture, 20);
    assert_int_equal(bucket_append(fixture->bucket, &fixture->batch), 0);
    assert_int_equal(fixture->batch.records[0].error, STORE_OTHER_END);
    assert_int_equal(writes.calls, 0);
    assert_int_equal(one_bucket_bytes(fixture), 0);
}

/* What comes behind a record that was not written has seen an end that there never was. */
static void a_failed_write_decides_nothing(void **state)
{
    struct one_bucket *fixture = *state;
    for (size_t some = 1; some < 60; some++) {
        int64_t base = bucket_tail(fixture->bucket);
        batch_reset(&fixture->batch);
        add_expecting(fixture, base + 1); /* decided before any failure */
        add_expecting(fixture, base);
        add_expecting(fixture, base); /* true if the one before was written */
        one_bucket_add(fixture, "end.", 4);
        add_expecting(fixture, base);
        add_expecting(fixture, base + 40);
        writes = SCRIPT({0, some}, {ENOSPC, 0});
        assert_int_equal(bucket_append(fixture->bucket, &fixture->batch), -ENOSPC);
        size_t decided = some < 20 ? 1 : some < 40 ? 3 : 5;
        static const int errors[] = {STORE_OTHER_END, 0, STORE_OTHER_END, 0, STORE_OTHER_END};
        for (size_t i = 0; i < 6; i++)
            assert_int_equal(fixture->batch.records[i].error, i < decided ? errors[i] : -ENOSPC);
        assert_int_equal(bucket_tail(fixture->bucket), base + (int64_t)(some / 20) * 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRIPTED_TEST(list_is_between_the_others),   SCRIPTED_TEST(short_writes_go_on),
        SCRIPTED_TEST(list_is_cut_back_as_a_whole),  SCRIPTED_TEST(many_calls_are_cut_back_as_one),
        SCRIPTED_TEST(list_leaves_a_checkpoint),     SCRIPTED_TEST(those_before_in_the_batch_count),
        SCRIPTED_TEST(nothing_expected_is_no_write), SCRIPTED_TEST(a_failed_write_decides_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
