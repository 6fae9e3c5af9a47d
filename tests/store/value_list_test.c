/*
 * Tests of store/value_list: lists that are whole, and every fault, in segments of all lengths.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "store/value_list.h"

#define SEGMENTS_MAX 64

/* `bytes` bytes in segments of `segment_bytes`, with an empty one behind each. */
static size_t cut(const char *list, size_t bytes, size_t segment_bytes,
                  struct iovec segments[SEGMENTS_MAX])
{
    size_t count = 0;
    for (size_t at = 0; at < bytes; at += segment_bytes) {
        size_t some = bytes - at < segment_bytes ? bytes - at : segment_bytes;
        assert_true(count + 2 <= SEGMENTS_MAX);
        segments[count++] = (struct iovec){(void *)(uintptr_t)(list + at), some};
        segments[count++] = (struct iovec){(void *)(uintptr_t)list, 0};
    }
    return count;
}

/* The same whatever the segments are. */
static struct value_list_content check(const char *list, size_t bytes)
{
    static const struct value_list_limits limits = {3, 5};
    struct iovec segments[SEGMENTS_MAX];
    struct value_list_content whole, content;
    value_list_check(segments, cut(list, bytes, bytes + 1, segments), &limits, &whole);
    for (size_t some = 1; some <= bytes; some++) {
        value_list_check(segments, cut(list, bytes, some, segments), &limits, &content);
        assert_int_equal(content.fault, whole.fault);
        assert_int_equal(content.count, whole.count);
        assert_int_equal(content.last_bytes, whole.last_bytes);
        assert_int_equal(content.value_bytes, whole.value_bytes);
        assert_int_equal(content.left_bytes, whole.left_bytes);
    }
    return whole;
}

static void whole_lists(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        size_t bytes;
        uint32_t count, last_bytes;
        uint64_t value_bytes;
    } table[] = {
        {"", 0, 0, 0, 0},
        {"\1\0\0\0a", 5, 1, 1, 1},
        {"\5\0\0\0abcde", 9, 1, 5, 5},
        {"\2\0\0\0ab\5\0\0\0abcde\1\0\0\0a", 20, 3, 1, 8},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct value_list_content content = check(table[i].list, table[i].bytes);
        assert_int_equal(content.fault, VALUE_LIST_GOOD);
        assert_int_equal(content.count, table[i].count);
        assert_int_equal(content.last_bytes, table[i].last_bytes);
        assert_int_equal(content.value_bytes, table[i].value_bytes);
    }
}

/* The fault is in the value that comes after 0, 1 or 2 good ones. */
static void every_fault_names_its_value(void **state)
{
    (void)state;
    static const struct {
        const char *end;
        size_t bytes;
        enum value_list_fault fault;
        uint32_t last_bytes;
        uint64_t left_bytes;
    } table[] = {
        {"\0\0\0\0", 4, VALUE_LIST_EMPTY_VALUE, 0, 0},
        {"\0\0\0\0\1\0\0\0a", 9, VALUE_LIST_EMPTY_VALUE, 0, 0},
        {"\5", 1, VALUE_LIST_CUT_LENGTH, 0, 1},
        {"\5\0\0", 3, VALUE_LIST_CUT_LENGTH, 0, 3},
        {"\5\0\0\0", 4, VALUE_LIST_CUT_VALUE, 5, 0},
        {"\5\0\0\0abcd", 8, VALUE_LIST_CUT_VALUE, 5, 4},
        {"\6\0\0\0abcdef", 10, VALUE_LIST_TOO_LONG, 6, 0},
        {"\0\0\0\x80", 4, VALUE_LIST_TOO_LONG, 0x80000000, 0},
        {"\xff\xff\xff\xff", 4, VALUE_LIST_TOO_LONG, UINT32_MAX, 0},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (uint32_t before = 0; before < 3; before++) {
            char list[64];
            size_t bytes = 0;
            for (uint32_t j = 0; j < before; j++, bytes += 6)
                memcpy(list + bytes, "\2\0\0\0ab", 6);
            memcpy(list + bytes, table[i].end, table[i].bytes);
            struct value_list_content content = check(list, bytes + table[i].bytes);
            assert_int_equal(content.fault, table[i].fault);
            assert_int_equal(content.count, before);
            if (table[i].fault == VALUE_LIST_TOO_LONG || table[i].fault == VALUE_LIST_CUT_VALUE)
                assert_int_equal(content.last_bytes, table[i].last_bytes);
            if (table[i].fault == VALUE_LIST_CUT_LENGTH || table[i].fault == VALUE_LIST_CUT_VALUE)
                assert_int_equal(content.left_bytes, table[i].left_bytes);
        }
    }
}

static void one_value_too_many(void **state)
{
    (void)state;
    static const char list[] = "\1\0\0\0a\1\0\0\0b\1\0\0\0c\1\0\0\0d";
    assert_int_equal(check(list, 15).fault, VALUE_LIST_GOOD);
    for (size_t bytes = 16; bytes < sizeof(list); bytes++) { /* whatever the fourth is */
        struct value_list_content content = check(list, bytes);
        assert_int_equal(content.fault, VALUE_LIST_TOO_MANY);
        assert_int_equal(content.count, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_lists),
        cmocka_unit_test(every_fault_names_its_value),
        cmocka_unit_test(one_value_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
