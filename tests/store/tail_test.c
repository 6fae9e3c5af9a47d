/*
 * Tests of store/tail, through buckets that are opened: whatever a crash has
 * left of the last append is found and cut off, and nothing else ever is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/gap.h"
#include "store/one_tail.h"

static void whole_files_stay(void **state)
{
    struct one_bucket *fixture = *state;
    assert_found(fixture, TAIL_WHOLE, 0);
    int64_t tail = 0;
    static const size_t sizes[] = {1, 15, 16, 17, 100, 4079, 4080, 4081, 65519, 65520, 70000, 3};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(one_bucket_append(fixture, large, sizes[i]), tail);
        tail += 16 + (int64_t)sizes[i];
        assert_found(fixture, TAIL_WHOLE, tail);
    }
}

/* The last record is cut at every byte: of a short one, of one longer than what is read at once. */
static void every_cut_of_the_last_record(void **state)
{
    struct one_bucket *fixture = *state;
    static const size_t sizes[] = {1, 20, 5000, 70000};
    for (int has_checkpoint = 0; has_checkpoint < 2; has_checkpoint++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            int64_t end = one_bucket_append(fixture, "before", 6) + 22;
            if (!has_checkpoint)
                (void)removexattr(one_bucket_path(fixture), CHECKPOINT);
            off_t step = sizes[i] > 1000 ? 97 : 1; /* all of a short one's */
            for (off_t left = 16 + (off_t)sizes[i] - 1; left > 0; left -= step) {
                assert_int_equal(one_bucket_append(fixture, large, sizes[i]), end);
                cut_file(fixture, end + left);
                assert_found(fixture, TAIL_TORN, end);
                one_bucket_check(fixture, end - 22, "before", 6);
            }
        }
    }
}

/* Lengths and times that begin with ff, as a gap of less than 16 bytes does: they are no gap. */
static void every_cut_of_a_header_that_begins_as_a_small_gap(void **state)
{
    struct one_bucket *fixture = *state;
    static const struct record_header headers[] = {
        {255, 1},        {255, UINT64_MAX},        {65535, 1},
        {16777215, 1},   {UINT32_MAX, UINT64_MAX}, /* 12 bytes of ff */
        {0x01ffffff, 1},
    };
    int64_t end = one_bucket_append(fixture, "before", 6) + 22;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        uint8_t header[RECORD_HEADER_BYTES];
        record_header_encode(&headers[i], header);
        for (int has_checkpoint = 0; has_checkpoint < 2; has_checkpoint++) {
            for (size_t left = 1; left <= sizeof(header); left++) {
                if (!has_checkpoint)
                    (void)removexattr(one_bucket_path(fixture), CHECKPOINT);
                scribble(fixture, header, left, end);
                assert_found(fixture, TAIL_TORN, end);
                one_bucket_check(fixture, end - 22, "before", 6);
            }
            assert_int_equal(one_bucket_append(fixture, "next", 4), end); /* writes a checkpoint */
            end += 20;
            one_bucket_check(fixture, end - 20, "next", 4);
            end = one_bucket_append(fixture, "before", 6) + 22;
        }
    }
    /* and of real appends */
    static const size_t sizes[] = {255, 65535};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (off_t left = 16 + (off_t)sizes[i] - 1; left > 0; left -= left > 300 ? 97 : 1) {
            assert_int_equal(one_bucket_append(fixture, large, sizes[i]), end);
            cut_file(fixture, end + left);
            assert_found(fixture, TAIL_TORN, end);
        }
    }
}

/* What `rochefort repair` puts in the place of a torn tail: nobody may get an offset in it. */
static void a_gap_at_the_end_stays(void **state)
{
    struct one_bucket *fixture = *state;
    uint8_t gap[40] = {0};
    int64_t end = one_bucket_append(fixture, "before", 6) + 22;
    for (size_t bytes = RECORD_HEADER_BYTES; bytes <= sizeof(gap); bytes++) {
        assert_int_equal(gap_encode(bytes, gap), RECORD_HEADER_BYTES);
        cut_file(fixture, end);
        scribble(fixture, gap, bytes, end);
        assert_found(fixture, TAIL_DAMAGED, end + (int64_t)bytes);
    }
    assert_int_equal(one_bucket_append(fixture, "after", 5), end + (int64_t)sizeof(gap));
    one_bucket_check(fixture, end - 22, "before", 6);
    assert_int_equal(one_bucket_error(fixture, end, 100, false), STORE_NOT_FOUND);
}

/* A small gap is a gap if something follows it: so nothing is cut. */
static void a_small_gap_before_a_record_stays(void **state)
{
    struct one_bucket *fixture = *state;
    uint8_t gap[RECORD_HEADER_BYTES];
    for (unsigned bytes = 1; bytes < RECORD_HEADER_BYTES; bytes++) {
        cut_file(fixture, 0);
        one_bucket_reopen(fixture, true);
        int64_t end = one_bucket_append(fixture, "before", 6) + 22;
        assert_int_equal(gap_encode(bytes, gap), bytes);
        scribble(fixture, gap, bytes, end);
        uint8_t record[RECORD_HEADER_BYTES + 5] = {0};
        record_header_encode(&(struct record_header){5, 1}, record);
        scribble(fixture, record, sizeof(record), end + bytes);
        assert_found(fixture, TAIL_DAMAGED, end + bytes + (int64_t)sizeof(record));
        one_bucket_check(fixture, end + bytes, "\0\0\0\0\0", 5);
    }
}

/* One write of many records, cut at every byte: the whole ones stay. */
static void every_cut_of_a_batch(void **state)
{
    struct one_bucket *fixture = *state;
    static const int64_t ends[] = {0, 17, 43, 59 + 43, 59 + 43 + 18};
    const int64_t base = one_bucket_append(fixture, "before", 6) + 22;
    for (int64_t left = 0; left < ends[4]; left++) {
        batch_reset(&fixture->batch);
        one_bucket_add(fixture, "1", 1);
        one_bucket_add(fixture, "the second", 10);
        one_bucket_add(fixture, large, 43);
        one_bucket_add(fixture, "4.", 2);
        assert_int_equal(bucket_append(fixture->bucket, &fixture->batch), 0);
        assert_int_equal(one_bucket_bytes(fixture), base + ends[4]);
        cut_file(fixture, base + left);
        size_t whole = 3;
        while (ends[whole] > left)
            whole--;
        assert_found(fixture, ends[whole] == left ? TAIL_WHOLE : TAIL_TORN, base + ends[whole]);
        cut_file(fixture, base);
        one_bucket_reopen(fixture, true);
    }
}

/* Bytes that no append of ours can have left are not ours to cut: the next record follows them. */
static void what_is_no_append_stays(void **state)
{
    struct one_bucket *fixture = *state;
    char bytes[60];
    assert_int_equal(one_bucket_append(fixture, "before", 6), 0);
    for (int fill = 0; fill < 2; fill++) { /* the hole of a power cut, or a damaged header */
        memset(bytes, fill ? 'x' : 0, sizeof(bytes));
        int64_t end = bucket_tail(fixture->bucket);
        scribble(fixture, bytes, sizeof(bytes), end);
        assert_found(fixture, TAIL_DAMAGED, end + 60);
        assert_int_equal(one_bucket_append(fixture, "after", 5), end + 60);
        one_bucket_check(fixture, 0, "before", 6);
        one_bucket_check(fixture, end + 60, "after", 5);
    }
}

/* A header that a bit was flipped in hides what follows: that stays, and is still read. */
static void records_after_a_damaged_one_stay(void **state)
{
    struct one_bucket *fixture = *state;
    assert_int_equal(one_bucket_append(fixture, "first", 5), 0);
    assert_int_equal(one_bucket_append(fixture, "second", 6), 21);
    assert_int_equal(one_bucket_append(fixture, "third", 5), 43);
    (void)removexattr(one_bucket_path(fixture), CHECKPOINT);
    scribble(fixture, "\xff", 1, 21);
    assert_found(fixture, TAIL_DAMAGED, 64);
    one_bucket_check(fixture, 0, "first", 5);
    one_bucket_check(fixture, 43, "third", 5);
}

/* Values that hold records, whole or cut, at the end of the file: only the real ones count. */
static void hostile_values_are_not_followed(void **state)
{
    struct one_bucket *fixture = *state;
    uint8_t value[200];
    for (uint32_t inner = 1; inner < 400; inner += 7) {
        int64_t begin = bucket_tail(fixture->bucket);
        struct record_header header = {inner, 1};
        for (size_t at = 0; at + 16 <= sizeof(value); at += 16)
            record_header_encode(&header, value + at);
        assert_int_equal(one_bucket_append(fixture, value, sizeof(value)), begin);
        int64_t end = begin + 216;
        assert_found(fixture, TAIL_WHOLE, end);
        one_bucket_check(fixture, begin, value, sizeof(value));
        assert_int_equal(one_bucket_append(fixture, value, sizeof(value)), end);
        cut_file(fixture, end + 16 + inner / 3);
        assert_found(fixture, TAIL_TORN, end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAIL_TEST(whole_files_stay),
        TAIL_TEST(every_cut_of_the_last_record),
        TAIL_TEST(every_cut_of_a_header_that_begins_as_a_small_gap),
        TAIL_TEST(a_gap_at_the_end_stays),
        TAIL_TEST(a_small_gap_before_a_record_stays),
        TAIL_TEST(every_cut_of_a_batch),
        TAIL_TEST(what_is_no_append_stays),
        TAIL_TEST(records_after_a_damaged_one_stay),
        TAIL_TEST(hostile_values_are_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
