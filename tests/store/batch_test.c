/*
 * Tests of store/batch: the records and the parts that pwritev will be given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "store/batch.h"

#define MANY 10000

/* Asking for too much memory is a test here, not an error. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void zeroed_batch_is_empty(void **state)
{
    (void)state;
    struct batch batch = {0};
    assert_int_equal(batch.record_count, 0);
    batch_free(&batch); /* also without ever being used */
    assert_null(batch.records);
    assert_null(batch.parts);
}

static void record_has_header_and_parts(void **state)
{
    (void)state;
    struct batch batch = {0};
    struct iovec *parts = batch_add(&batch, 0x0c0b0a0908070605, 0x04030201, 2);
    assert_non_null(parts);
    assert_int_equal(batch.record_count, 1);
    assert_int_equal(batch.part_count, 3); /* header and two of the value */
    assert_int_equal(batch.records[0].first_part, 0);
    assert_ptr_equal(parts, &batch.parts[1]);
    assert_true(batch.records[0].bytes == 0x04030201ULL + 16);
    assert_true(batch.bytes == 0x04030201ULL + 16);
    /* see record_test.c for these bytes */
    static const uint8_t header[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x55, 0xc6, 0x5f, 0x92};
    assert_memory_equal(batch.records[0].header, header, sizeof(header));
    batch_free(&batch);
}

static void longest_value_does_not_overflow(void **state)
{
    (void)state;
    struct batch batch = {0};
    assert_non_null(batch_add(&batch, 1, UINT32_MAX, 1));
    assert_non_null(batch_add(&batch, 1, UINT32_MAX, 1));
    assert_true(batch.records[0].bytes == 4294967311ULL);
    assert_true(batch.bytes == 8589934622ULL);
    batch_free(&batch);
}

/* Record i has i % 5 + 1 parts of which part j points at spots[i] + j. */
static char spots[MANY + 8];

static void fill(struct batch *batch, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t value_parts = i % 5 + 1;
        struct iovec *parts = batch_add(batch, i, (uint32_t)(i + 1), value_parts);
        assert_non_null(parts);
        for (size_t j = 0; j < value_parts; j++)
            parts[j] = (struct iovec){spots + i + j, j + 1};
    }
}

static void check(const struct batch *batch, size_t count)
{
    size_t part = 0;
    uint64_t bytes = 0;
    assert_int_equal(batch->record_count, count);
    for (size_t i = 0; i < count; i++) {
        const struct batch_record *record = &batch->records[i];
        struct record_header header;
        assert_int_equal(record->first_part, part);
        assert_int_equal(record_header_decode(record->header, 0, &header), 0);
        assert_int_equal(header.value_bytes, i + 1);
        assert_int_equal(header.time_ns, i);
        for (size_t j = 0; j < i % 5 + 1; j++) {
            assert_ptr_equal(batch->parts[part + 1 + j].iov_base, spots + i + j);
            assert_int_equal(batch->parts[part + 1 + j].iov_len, j + 1);
        }
        part += i % 5 + 2;
        bytes += i + 1 + 16;
    }
    assert_int_equal(batch->part_count, part);
    assert_int_equal(batch->bytes, bytes);
}

static void growing_keeps_what_is_there(void **state)
{
    (void)state;
    struct batch batch = {0};
    fill(&batch, MANY);
    check(&batch, MANY);
    batch_free(&batch);
}

static void reset_forgets_records_and_keeps_memory(void **state)
{
    (void)state;
    struct batch batch = {0};
    fill(&batch, MANY);
    const struct batch_record *records = batch.records;
    const struct iovec *parts = batch.parts;
    for (int round = 0; round < 3; round++) {
        batch_reset(&batch);
        assert_int_equal(batch.record_count, 0);
        assert_int_equal(batch.part_count, 0);
        assert_int_equal(batch.bytes, 0);
        fill(&batch, MANY);
        check(&batch, MANY);
        assert_ptr_equal(batch.records, records);
        assert_ptr_equal(batch.parts, parts);
    }
    batch_free(&batch);
}

static void one_record_may_have_many_parts(void **state)
{
    (void)state;
    struct batch batch = {0};
    assert_non_null(batch_add(&batch, 1, 1, 1));
    struct iovec *parts = batch_add(&batch, 2, MANY, MANY);
    assert_non_null(parts);
    for (size_t j = 0; j < MANY; j++)
        parts[j] = (struct iovec){spots + j, 1};
    assert_int_equal(batch.records[1].first_part, 2);
    assert_int_equal(batch.part_count, 2 + 1 + MANY);
    batch_free(&batch);
}

static void out_of_memory_leaves_the_batch_as_it_was(void **state)
{
    (void)state;
    struct batch batch = {0};
    fill(&batch, 10);
    /* so many parts that their size in bytes does not fit into a size_t */
    assert_null(batch_add(&batch, 1, 1, SIZE_MAX / sizeof(struct iovec)));
    check(&batch, 10);
    batch_reset(&batch);
    fill(&batch, MANY); /* and it can be used on */
    check(&batch, MANY);
    batch_free(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_batch_is_empty),
        cmocka_unit_test(record_has_header_and_parts),
        cmocka_unit_test(longest_value_does_not_overflow),
        cmocka_unit_test(growing_keeps_what_is_there),
        cmocka_unit_test(reset_forgets_records_and_keeps_memory),
        cmocka_unit_test(one_record_may_have_many_parts),
        cmocka_unit_test(out_of_memory_leaves_the_batch_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
