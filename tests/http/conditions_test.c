/* What a client gets of a value of 1000 bytes, for each condition and range (RFC 9110, 13, 14). */
#include "http/conditions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "http/http_date.h"

#define TAG "\"000003e80000000000989680\""
#define OTHER "\"000003e80000000000989681\""
#define NS_PER_SECOND 1000000000ULL

/* Of 1994-11-06 08:49:37, half a second later. */
#define MODIFIED_S 784111777ULL

static const struct conditions_value value = {1000, 10000000};
static const struct conditions_value dated = {1000, MODIFIED_S *NS_PER_SECOND + 500000000};

struct row {
    struct conditions conditions;
    int status;
    uint32_t first, bytes;
};

static const struct row ranges[] = {
    {{.range = NULL}, 200, 0, 0},
    {{.range = "bytes=0-0"}, 206, 0, 1},
    {{.range = "bytes=0-499"}, 206, 0, 500},
    {{.range = "bytes=500-999"}, 206, 500, 500},
    {{.range = "bytes=999-999"}, 206, 999, 1},
    {{.range = "bytes=500-"}, 206, 500, 500},
    {{.range = "bytes=0-"}, 206, 0, 1000},
    {{.range = "bytes=0-1000000"}, 206, 0, 1000},
    {{.range = "bytes=999-99999999999999999999999999"}, 206, 999, 1},
    {{.range = "bytes=-1"}, 206, 999, 1},
    {{.range = "bytes=-1000"}, 206, 0, 1000},
    {{.range = "bytes=-1001"}, 206, 0, 1000},
    {{.range = "bytes=-99999999999999999999999999"}, 206, 0, 1000},
    {{.range = "BYTES=1-2"}, 206, 1, 2},
    {{.range = "bytes= 1-2 "}, 206, 1, 2},
    {{.range = "bytes=000001-000002"}, 206, 1, 2},
    /* well-formed, and nothing of it is there */
    {{.range = "bytes=1000-"}, 416, 0, 0},
    {{.range = "bytes=1000-2000"}, 416, 0, 0},
    {{.range = "bytes=99999999999999999999999999-"}, 416, 0, 0},
    {{.range = "bytes=-0"}, 416, 0, 0},
    /* not well-formed, another unit, several: as if it were not asked for */
    {{.range = ""}, 200, 0, 0},
    {{.range = "bytes"}, 200, 0, 0},
    {{.range = "bytes="}, 200, 0, 0},
    {{.range = "bytes=-"}, 200, 0, 0},
    {{.range = "bytes=--1"}, 200, 0, 0},
    {{.range = "bytes=2-1"}, 200, 0, 0},
    {{.range = "bytes=1"}, 200, 0, 0},
    {{.range = "bytes=a-b"}, 200, 0, 0},
    {{.range = "bytes=1-b"}, 200, 0, 0},
    {{.range = "bytes=+1-2"}, 200, 0, 0},
    {{.range = "bytes=1 - 2"}, 200, 0, 0},
    {{.range = "bytes=1-2x"}, 200, 0, 0},
    {{.range = "bytes=0x1-2"}, 200, 0, 0},
    {{.range = "bytes=0-1,5-6"}, 200, 0, 0},
    {{.range = "bytes=0-1,"}, 200, 0, 0},
    {{.range = "bytes 1-2"}, 200, 0, 0},
    {{.range = "items=1-2"}, 200, 0, 0},
    {{.range = " bytes=1-2"}, 200, 0, 0},
    /* only of the value that the client has a part of */
    {{.range = "bytes=1-2", .if_range = TAG}, 206, 1, 2},
    {{.range = "bytes=1-2", .if_range = OTHER}, 200, 0, 0},
    {{.range = "bytes=1-2", .if_range = "W/" TAG}, 200, 0, 0},
    {{.range = "bytes=1-2", .if_range = "*"}, 200, 0, 0},
    {{.range = "bytes=1-2", .if_range = "Sun, 06 Nov 1994 08:49:37 GMT"}, 200, 0, 0},
    {{.range = "bytes=1000-", .if_range = OTHER}, 200, 0, 0},
    {{.if_range = TAG}, 200, 0, 0},
};

static const struct row tags[] = {
    {{.if_none_match = TAG}, 304, 0, 0},
    {{.if_none_match = "W/" TAG}, 304, 0, 0},
    {{.if_none_match = "*"}, 304, 0, 0},
    {{.if_none_match = OTHER ", " TAG}, 304, 0, 0},
    {{.if_none_match = OTHER "," TAG "," OTHER}, 304, 0, 0},
    {{.if_none_match = "\"a, b\", " TAG}, 304, 0, 0},
    {{.if_none_match = " , " TAG}, 304, 0, 0},
    {{.if_none_match = OTHER}, 200, 0, 0},
    {{.if_none_match = ""}, 200, 0, 0},
    {{.if_none_match = "\""}, 200, 0, 0},
    {{.if_none_match = "000003e80000000000989680"}, 200, 0, 0},
    {{.if_none_match = "\"x" TAG}, 200, 0, 0},
    {{.if_none_match = "**"}, 200, 0, 0},
    /* before a range, and before a date, which then does not count */
    {{.if_none_match = TAG, .range = "bytes=1-2"}, 304, 0, 0},
    {{.if_none_match = OTHER, .range = "bytes=1-2"}, 206, 1, 2},
    {{.if_none_match = OTHER, .if_modified_since = "Sun, 06 Nov 2094 08:49:37 GMT"}, 200, 0, 0},
};

static const struct row dates[] = {
    {{.if_modified_since = "Sun, 06 Nov 1994 08:49:37 GMT"}, 304, 0, 0},
    {{.if_modified_since = "Sunday, 06-Nov-94 08:49:37 GMT"}, 304, 0, 0},
    {{.if_modified_since = "Sun Nov  6 08:49:37 1994"}, 304, 0, 0},
    {{.if_modified_since = "Mon, 07 Nov 1994 00:00:00 GMT"}, 304, 0, 0},
    {{.if_modified_since = "Sun, 06 Nov 1994 08:49:36 GMT"}, 200, 0, 0},
    {{.if_modified_since = "Sun, 06 Nov 1994 08:49:37 GMT x"}, 200, 0, 0},
    {{.if_modified_since = "1994-11-06T08:49:37Z"}, 200, 0, 0},
    {{.if_modified_since = ""}, 200, 0, 0},
    {{.if_modified_since = "Sun, 06 Nov 1994 08:49:37 GMT", .range = "bytes=1-2"}, 304, 0, 0},
};

static void check(const struct row *rows, size_t count, const struct conditions_value *of,
                  bool with_ranges)
{
    for (size_t i = 0; i < count; i++) {
        print_message("row %zu\n", i);
        struct conditions_verdict verdict = conditions_check(&rows[i].conditions, of, with_ranges);
        bool partial = rows[i].status == 206 || rows[i].status == 416;
        assert_int_equal(!with_ranges && partial ? 200 : rows[i].status, verdict.status);
        if (with_ranges && rows[i].status == 206) {
            assert_int_equal(rows[i].first, verdict.first);
            assert_int_equal(rows[i].bytes, verdict.bytes);
        }
    }
}

#define CHECK(rows, of, with_ranges) check(rows, sizeof(rows) / sizeof((rows)[0]), of, with_ranges)

static void test_ranges(void **state)
{
    (void)state;
    CHECK(ranges, &value, true);
    CHECK(ranges, &value, false);
}

static void test_tags(void **state)
{
    (void)state;
    CHECK(tags, &value, true);
    CHECK(tags, &value, false);
}

static void test_dates(void **state)
{
    (void)state;
    CHECK(dates, &dated, true);
    CHECK(dates, &dated, false);
}

static void test_an_empty_value_has_no_part(void **state)
{
    static const struct conditions_value empty = {0, 1};
    static const char *const asked[] = {"bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0"};
    (void)state;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct conditions conditions = {.range = asked[i]};
        assert_int_equal(416, conditions_check(&conditions, &empty, true).status);
    }
}

static void test_the_tag_tells_values_apart(void **state)
{
    static const struct conditions_value others[] = {
        {999, 10000000}, {1000, 10000001}, {UINT32_MAX, UINT64_MAX}};
    char tag[CONDITIONS_TAG_BYTES], other[CONDITIONS_TAG_BYTES];
    (void)state;
    conditions_tag(&value, tag);
    assert_string_equal(TAG, tag);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        conditions_tag(&others[i], other);
        assert_int_equal(CONDITIONS_TAG_BYTES - 1, strlen(other));
        assert_string_not_equal(tag, other);
    }
}

static void test_dates_as_http_writes_them(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {951868799, "Tue, 29 Feb 2000 23:59:59 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[HTTP_DATE_BYTES];
        int64_t seconds;
        http_date_write(rows[i].seconds, out);
        assert_string_equal(rows[i].text, out);
        assert_true(http_date_parse(out, &seconds));
        assert_int_equal(rows[i].seconds, seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_an_empty_value_has_no_part),
        cmocka_unit_test(test_the_tag_tells_values_apart),
        cmocka_unit_test(test_dates_as_http_writes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
