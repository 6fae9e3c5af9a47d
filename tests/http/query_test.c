/*
 * Tests of http/query: parameters are decoded as forms are; ambiguous and
 * malformed ones are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "http/query.h"

static struct query parse(const char *text)
{
    struct query query;
    memset(&query, 0xff, sizeof(query)); /* must be overwritten */
    const char *wrong = query_parse(text, &query);
    if (wrong != NULL)
        fail_msg("refused (%s): %s", wrong, text);
    return query;
}

static void a_query_may_be_empty(void **state)
{
    (void)state;
    static const char *const texts[] = {NULL, "", "&", "&&&", "=", "=&=", "x", "x=1&y", "=id"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct query query = parse(texts[i]);
        assert_false(query.has_id);
        assert_false(query.has_offset);
        assert_string_equal(query.prefix, "default");
    }
}

static void all_parameters_in_any_order(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "id=abc&offset=25&storagePrefix=p", "storagePrefix=p&offset=25&id=abc",
        "&offset=25&&id=abc&storagePrefix=p&", "a=b&offset=25&c&id=abc&=d&storagePrefix=p"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct query query = parse(texts[i]);
        assert_true(query.has_id);
        assert_true(query.id_hash.xxh3 == XXH3_64bits("abc", 3));
        assert_true(query.has_offset);
        assert_int_equal(query.offset, 25);
        assert_string_equal(query.prefix, "p");
    }
}

static void what_it_is_for(void **state)
{
    (void)state;
    assert_int_equal(parse(NULL).purpose, QUERY_FOR_APPEND);
    assert_int_equal(parse("id=get").purpose, QUERY_FOR_APPEND);
    assert_int_equal(parse("for=append").purpose, QUERY_FOR_APPEND);
    assert_int_equal(parse("for=get").purpose, QUERY_FOR_GET);
    assert_int_equal(parse("for=%67et").purpose, QUERY_FOR_GET);
    static const char *const wrong[] = {"for", "for=", "for=ge", "for=gets", "for=GET", "for=read"};
    struct query query;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_string_equal(query_parse(wrong[i], &query), "for must be append or get");
}

static void errors_are_each(void **state)
{
    (void)state;
    assert_false(parse("id=each").errors_each);
    assert_true(parse("errors=each").errors_each);
    assert_true(parse("id=a&errors=%65ach&x=y").errors_each);
    static const char *const wrong[] = {"errors",       "errors=",     "errors=eac",
                                        "errors=every", "errors=EACH", "errors=each1"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct query query;
        assert_string_equal(query_parse(wrong[i], &query), "errors must be each");
        assert_false(query.errors_each);
    }
}

/* The hash is that of the decoded bytes, however they were encoded. */
static void id_is_decoded_and_hashed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *id;
    } table[] = {
        {"id=a", "a"},
        {"id=%61", "a"},
        {"%69d=a", "a"}, /* keys are decoded too */
        {"%69%64=a", "a"},
        {"id=a+b", "a b"},
        {"id=a%20b", "a b"},
        {"id=a%2Bb", "a+b"},
        {"id=a%2bb", "a+b"},
        {"id=a%26b", "a&b"},
        {"id=a%3Db", "a=b"},
        {"id=a=b", "a=b"},
        {"id==", "="},
        {"id=100%25", "100%"},
        {"id=%2541", "%41"}, /* once, not twice */
        {"id=%c3%A4", "\xc3\xa4"},
        {"id=\xc3\xa4", "\xc3\xa4"},
        {"id=%0a%0D", "\n\r"},
        {"id=%fF", "\xff"},
        {"id=a;b", "a;b"},
        {"id=/..%2f", "/../"},
        {"id=0", "0"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct query query = parse(table[i].text);
        assert_true(query.has_id);
        if (query.id_hash.xxh3 != XXH3_64bits(table[i].id, strlen(table[i].id)))
            fail_msg("%s", table[i].text);
    }
}

/* What is not ours is somebody else's. */
static void names_are_exact(void **state)
{
    (void)state;
    static const char *const texts[] = {"id%20=a", "+id=a", "i=a",           "ids=a",
                                        "xid=a",   "id;=a", "id_=a",         "i%20d=a",
                                        "di=a",    "_id=a", "\xc4\xb1\x64=a"}; /* a dotless i */
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(parse(texts[i]).has_id);
    assert_false(parse("off-set=1&offsets=x").has_offset);
    assert_string_equal(parse("storagePrefix2=p").prefix, "default");
    assert_string_equal(parse("storage_prefix=p").prefix, "default");
    assert_string_equal(parse("prefix=p").prefix, "default");
}

/* But one that differs in case only is meant for us; ignored, it would change where a value goes.
 */
static void other_spelling_is_refused_and_the_right_one_said(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wrong;
    } table[] = {
        {"ID=a", "the parameter is spelled id"},
        {"Id=a", "the parameter is spelled id"},
        {"iD", "the parameter is spelled id"},
        {"%49d=a", "the parameter is spelled id"}, /* keys are decoded first */
        {"id=a&ID=b", "the parameter is spelled id"},
        {"ID=b&id=a", "the parameter is spelled id"},
        {"x=1&Id=", "the parameter is spelled id"},
        {"Offset=1", "the parameter is spelled offset"},
        {"OFFSET=not a number", "the parameter is spelled offset"},
        {"offset=1&offseT=1", "the parameter is spelled offset"},
        {"storageprefix=p", "the parameter is spelled storagePrefix"},
        {"StoragePrefix=p", "the parameter is spelled storagePrefix"},
        {"STORAGEPREFIX=", "the parameter is spelled storagePrefix"},
        {"storagePrefix=p&storageprefix=.", "the parameter is spelled storagePrefix"},
        {"Sync=1", "the parameter is spelled sync"},
        {"id=a&SYNC=0", "the parameter is spelled sync"},
        /* the first thing that is wrong is said */
        {"sync=2&ID=a", "sync must be 0 or 1"},
        {"ID=a&sync=2", "the parameter is spelled id"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct query query;
        const char *wrong = query_parse(table[i].text, &query);
        if (wrong == NULL)
            fail_msg("taken: %s", table[i].text);
        assert_string_equal(wrong, table[i].wrong);
    }
}

static void empty_values(void **state)
{
    (void)state;
    assert_false(parse("id=").has_id);
    assert_false(parse("id").has_id);
    assert_false(parse("id&offset=1").has_id);
    assert_string_equal(parse("storagePrefix=").prefix, "default");
    assert_string_equal(parse("storagePrefix").prefix, "default");
    struct query query;
    assert_non_null(query_parse("offset=", &query));
    assert_non_null(query_parse("offset", &query));
}

/* The same as an offset. */
static void expected_end_is_a_whole_number(void **state)
{
    (void)state;
    assert_false(parse("id=a").expects);
    assert_true(parse("expect=0").expects);
    assert_int_equal(parse("expect=0").expected, 0);
    assert_true(parse("offset=1&expect=9223372036854775807").expected == INT64_MAX);
    static const char *const bad[] = {
        "expect",    "expect=",           "expect=-1",
        "expect=1x", "expect=%2B1",       "expect=9223372036854775808",
        "Expect=1",  "expect=1&expect=1", "expect=1%00"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct query query;
        if (query_parse(bad[i], &query) == NULL)
            fail_msg("not refused: %s", bad[i]);
    }
}

static void offset_is_a_whole_number(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t offset;
    } table[] = {
        {"offset=0", 0},
        {"offset=1", 1},
        {"offset=007", 7},
        {"offset=%31%30", 10},
        {"offset=4294967296", 4294967296},
        {"offset=9223372036854775807", INT64_MAX},
        {"offset=00000000000000000000000009223372036854775807", INT64_MAX},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct query query = parse(table[i].text);
        assert_true(query.has_offset);
        assert_true(query.offset == table[i].offset);
    }
}

static void prefix_is_a_valid_name(void **state)
{
    (void)state;
    assert_string_equal(parse("storagePrefix=a.b").prefix, "a.b");
    assert_string_equal(parse("storagePrefix=a+b").prefix, "a b");
    assert_string_equal(parse("storagePrefix=%c3%a4").prefix, "\xc3\xa4");
    char text[600], name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    (void)snprintf(text, sizeof(text), "storagePrefix=%s", name);
    assert_string_equal(parse(text).prefix, name);
    struct query query;
    (void)strcat(text, "n");
    assert_non_null(query_parse(text, &query));
}

static void sync_is_0_or_1(void **state)
{
    (void)state;
    assert_false(parse("id=a").sync);
    assert_false(parse("sync=0&id=a").sync);
    assert_true(parse("id=a&sync=1").sync);
    assert_true(parse("%73ync=%31").sync);
    assert_false(parse("syncs=1&sync%20=1&fsync=1").sync);
}

static void everything_else_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        /* escapes, also in parameters that are ignored */
        "id=%", "id=%4", "id=%zz", "id=%4g", "id=%g4", "id=%%41", "id=a%", "id=a&x=%", "%=a",
        "x%4=1", "%zz", "id=%&41", "id=% 1", "id=%+1", "id=%-1", "id=%0x",
        /* NUL */
        "id=%00", "id=a%00b", "x=%00", "i%00d=a", "storagePrefix=a%00", "offset=1%00",
        /* twice */
        "id=a&id=a", "id=a&id=b", "id=&id=a", "id=a&id=", "id&id", "id=a&%69d=b",
        "offset=1&offset=1", "storagePrefix=a&storagePrefix=a", "storagePrefix=&storagePrefix=a",
        "sync=1&sync=1", "sync=0&sync=0", "sync=1&id=a&sync=0", "sync=0&%73ync=1",
        /* syncs */
        "sync", "sync=", "sync=2", "sync=00", "sync=01", "sync=10", "sync=+1", "sync=1+", "sync=-1",
        "sync=true", "sync=yes", "sync=%00", "sync=1%0a", "sync=1;",
        /* offsets */
        "offset=-1", "offset=-0", "offset=+1", "offset=%2B1", "offset=1+", "offset=+",
        "offset=0x10", "offset=1e3", "offset=1.0", "offset=1,0", "offset=ten", "offset=1%0a",
        "offset=9223372036854775808", "offset=9223372036854775810", "offset=18446744073709551616",
        "offset=18446744073709551617", "offset=99999999999999999999999999",
        "offset=\xd9\xa1", /* an Arabic digit */
        /* names */
        "storagePrefix=.", "storagePrefix=..", "storagePrefix=.a", "storagePrefix=%2e",
        "storagePrefix=a/b", "storagePrefix=a%2fb", "storagePrefix=/", "storagePrefix=%2e%2e%2f",
        "storagePrefix=a%0a", "storagePrefix=a%7f", "storagePrefix=%01",
        /* one error is enough */
        "id=a&offset=1&storagePrefix=p&offset=2", "id=a&offset=x&storagePrefix=p"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct query query;
        const char *wrong = query_parse(texts[i], &query);
        if (wrong == NULL)
            fail_msg("taken: %s", texts[i]);
        assert_true(strlen(wrong) > 0);
        assert_null(strpbrk(wrong, "\r\n")); /* one line for the client */
    }
}

static void repeated_unknown_parameters_are_ignored(void **state)
{
    (void)state;
    struct query query = parse("x=1&x=2&ids=a&ids=b&id=c&offsets=x&offsets=y");
    assert_true(query.has_id);
    assert_true(query.id_hash.xxh3 == XXH3_64bits("c", 1));
    assert_false(query.has_offset);
}

/* As long as a head can be: 16384 bytes. */
static void long_parameters(void **state)
{
    (void)state;
    static char text[16384 + 64], id[16384 + 64];
    memset(id, 'i', sizeof(id));
    (void)strcpy(text, "id=");
    memset(text + 3, 'i', 16000);
    assert_true(parse(text).id_hash.xxh3 == XXH3_64bits(id, 16000));
    struct query query;
    memset(text + 3, 'i', sizeof(text) - 4);
    const char *wrong = query_parse(text, &query); /* longer than any head: refused, no overflow */
    assert_non_null(wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_may_be_empty),
        cmocka_unit_test(all_parameters_in_any_order),
        cmocka_unit_test(what_it_is_for),
        cmocka_unit_test(errors_are_each),
        cmocka_unit_test(id_is_decoded_and_hashed),
        cmocka_unit_test(names_are_exact),
        cmocka_unit_test(other_spelling_is_refused_and_the_right_one_said),
        cmocka_unit_test(empty_values),
        cmocka_unit_test(offset_is_a_whole_number),
        cmocka_unit_test(expected_end_is_a_whole_number),
        cmocka_unit_test(prefix_is_a_valid_name),
        cmocka_unit_test(sync_is_0_or_1),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(repeated_unknown_parameters_are_ignored),
        cmocka_unit_test(long_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
