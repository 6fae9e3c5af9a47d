/*
 * Tests of store/prefix: which names are taken, and that the number of buckets
 * is what the directory says, whatever was wished for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/prefix_fixture.h"

static void names_are_taken_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t bytes;
        bool valid;
    } table[] = {
        {"default", 7, true},     {"a", 1, true},
        {"-", 1, true},           {"a.b", 3, true},
        {"a..", 3, true},         {"append.0.raw", 12, true},
        {"with space", 10, true}, {"\"quoted\\\"", 9, true},
        {"\xc3\xa4", 2, true},    {"\x80\xff", 2, true},
        {"~", 1, true},           {"", 0, false},
        {".", 1, false},          {"..", 2, false},
        {".hidden", 7, false},    {".rochefort.lock", 15, false},
        {"/", 1, false},          {"/a", 2, false},
        {"a/", 2, false},         {"a/b", 3, false},
        {"a/../b", 6, false},     {"a\0b", 3, false},
        {"a\0", 2, false},        {"\0", 1, false},
        {"a\n", 2, false},        {"a\tb", 3, false},
        {"\x01", 1, false},       {"a\x1f", 2, false},
        {"a\x7f", 2, false},      {" ", 1, true},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (prefix_name_valid(table[i].name, table[i].bytes) != table[i].valid)
            fail_msg("name %zu, \"%s\"", i, table[i].name);
}

static void new_names_are_text_without_control_characters(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool valid;
    } table[] = {
        {"a", true},
        {"with space", true},
        {"\xc3\xa4", true},  /* U+00E4 */
        {"\xc2\xa0", true},  /* U+00A0, behind the control characters */
        {"\xc2\x80", false}, /* U+0080, the first of them */
        {"\xc2\x9f", false}, /* U+009F, the last */
        {"a\xc2\x9b"
         "2Jb",
         false}, /* clears a screen */
        {"\xf0\x9f\x90\x88", true},
        {"\xff", false},
        {"a\xe4z", false},           /* Latin-1 */
        {"\xc3", false},             /* cut short */
        {"\xc0\xaf", false},         /* a slash in more bytes than it needs */
        {"\xed\xa0\x80", false},     /* a surrogate */
        {"\xf4\x90\x80\x80", false}, /* beyond the end */
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_true(prefix_name_valid(table[i].name, strlen(table[i].name)));
        if (prefix_name_valid_if_new(table[i].name) != table[i].valid)
            fail_msg("name %zu, \"%s\"", i, table[i].name);
    }
}

/* Of a directory without files it is not known that it was a prefix. */
static void refused_name_is_not_made_and_is_used_if_it_is_there(void **state)
{
    struct fixture *fixture = *state;
    static const char name[] = "\xc2\x9b";
    unsigned buckets;
    for (int there = 0; there < 2; there++) {
        assert_int_equal(prefix_resolve(fixture->root, name, 2, true, &buckets),
                         STORE_NAME_REFUSED);
        assert_int_equal(prefix_resolve(fixture->root, name, 2, false, &buckets), STORE_NO_PREFIX);
        assert_int_equal(exists(fixture, name), there);
        if (!there)
            assert_int_equal(mkdir(in(fixture, name), 0700), 0);
    }
    assert_int_equal(rmdir(in(fixture, name)), 0);
    assert_int_equal(prefix_resolve(fixture->root, "p", 2, true, &buckets), 0);
    char from[TEMPORARY_PATH_BYTES];
    (void)snprintf(from, sizeof(from), "%s", in(fixture, "p"));
    assert_int_equal(rename(from, in(fixture, name)), 0);
    for (int create = 0; create < 2; create++)
        assert_int_equal(prefix_resolve(fixture->root, name, 2, create, &buckets), 0);
    assert_int_equal(unlink(in(fixture, "\xc2\x9b/MANIFEST")), 0); /* one that was cut short */
    assert_int_equal(prefix_resolve(fixture->root, name, 2, true, &buckets), 0);
    assert_true(exists(fixture, "\xc2\x9b/MANIFEST"));
}

static void names_have_255_bytes_at_most(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'n', sizeof(name));
    assert_true(prefix_name_valid(name, 254));
    assert_true(prefix_name_valid(name, 255));
    assert_false(prefix_name_valid(name, 256));
    assert_false(prefix_name_valid(name, 300));
    name[254] = '/'; /* the last byte is looked at too */
    assert_true(prefix_name_valid(name, 254));
    assert_false(prefix_name_valid(name, 255));
}

static void file_names_are_those_of_the_format(void **state)
{
    (void)state;
    char name[BUCKET_FILE_NAME_BYTES];
    bucket_file_name(0, name);
    assert_string_equal(name, "append.0.raw");
    bucket_file_name(65535, name);
    assert_string_equal(name, "append.65535.raw");
}

static void file_names_are_read_back(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",
        "append",
        "append.raw",
        "append..raw",
        "append.0",
        "append.0.raw~",
        "append.0.rawx",
        "append.0.RAW",
        "xappend.0.raw",
        "append.00.raw",
        "append.01.raw",
        "append.+1.raw",
        "append.-1.raw",
        "append. 1.raw",
        "append.1 .raw",
        "append.0x1.raw",
        "append.65536.raw",
        "append.4294967296.raw",
        "append.18446744073709551616.raw",
        "append.99999999999999999999999999.raw",
    };
    char name[BUCKET_FILE_NAME_BYTES];
    for (unsigned bucket = 0; bucket < PREFIX_BUCKETS_MAX; bucket += 13) {
        bucket_file_name(bucket, name);
        assert_int_equal(bucket_file_number(name), bucket);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(bucket_file_number(others[i]), -1);
}

static void longest_name_can_be_used(void **state)
{
    struct fixture *fixture = *state;
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    unsigned buckets;
    assert_int_equal(prefix_resolve(fixture->root, name, 2, true, &buckets), 0);
    assert_int_equal(buckets, 2);
    assert_int_equal(prefix_resolve(fixture->root, name, 9, false, &buckets), 0);
    assert_int_equal(buckets, 2);
}

/* Its number would not be right for the files that are there: which of them holds an id? */
static void lost_file_is_missed(void **state)
{
    struct fixture *fixture = *state;
    static const char *const lost[] = {"p/append.3.raw", "p/append.0.raw", "p/append.1.raw"};
    unsigned buckets;
    assert_int_equal(prefix_resolve(fixture->root, "p", 4, true, &buckets), 0);
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
        assert_int_equal(unlink(in(fixture, lost[i])), 0);
        for (int create = 0; create < 2; create++)
            assert_int_equal(prefix_resolve(fixture->root, "p", 4, create, &buckets),
                             STORE_FILES_MISSING);
        assert_int_equal(count_entries(fixture), 3);
        make_file(fixture, lost[i]);
    }
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), 0);
    assert_int_equal(buckets, 4);
    make_file(fixture, "p/append.4.raw"); /* one too many is as bad */
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), STORE_FILES_ADDITIONAL);
    assert_int_equal(unlink(in(fixture, "p/append.0.raw")), 0); /* also if their number is right */
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), STORE_FILES_MISSING);
}

static void existing_prefix_keeps_its_number(void **state)
{
    struct fixture *fixture = *state;
    unsigned buckets;
    assert_int_equal(prefix_resolve(fixture->root, "p", 5, true, &buckets), 0);
    static const unsigned wishes[] = {1, 4, 5, 6, 128, PREFIX_BUCKETS_MAX};
    for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
        for (int create = 0; create < 2; create++) {
            assert_int_equal(prefix_resolve(fixture->root, "p", wishes[i], create, &buckets), 0);
            assert_int_equal(buckets, 5);
            assert_int_equal(count_entries(fixture), 5);
        }
    }
    assert_int_equal(prefix_resolve(fixture->root, "q", 2, true, &buckets), 0);
    assert_int_equal(buckets, 2); /* a number for each prefix */
}

static void gap_is_refused(void **state)
{
    struct fixture *fixture = *state;
    unsigned buckets;
    assert_int_equal(prefix_resolve(fixture->root, "p", 5, true, &buckets), 0);
    assert_int_equal(unlink(in(fixture, "p/append.2.raw")), 0);
    for (int create = 0; create < 2; create++)
        assert_int_equal(prefix_resolve(fixture->root, "p", 5, create, &buckets),
                         STORE_FILES_MISSING);
    assert_false(exists(fixture, "p/append.2.raw"));
    make_file(fixture, "p/append.2.raw");
    make_file(fixture, "p/append.9.raw"); /* the gap may also be below the highest file */
    for (int create = 0; create < 2; create++)
        assert_int_equal(prefix_resolve(fixture->root, "p", 5, create, &buckets),
                         STORE_FILES_ADDITIONAL);
    assert_int_equal(count_entries(fixture), 6);
}

static void foreign_files_are_ignored(void **state)
{
    static const char *const foreign[] = {
        "p/append.raw",       "p/append..raw",    "p/append.7.raw.gz",
        "p/append.7",         "p/append.07.raw",  "p/append.+7.raw",
        "p/append.-1.raw",    "p/append. 7.raw",  "p/append.0x7.raw",
        "p/append.65536.raw", "p/Append.7.raw",   "p/xappend.7.raw",
        "p/append.7.RAW",     "p/append.7e0.raw", "p/lost+found",
        "p/append.7.raw~",    "p/append.x.raw",   "p/append.7.raw.7.raw",
        "p/.append.7.raw",    "p/notes.txt",      "p/append.99999999999999999999999.raw",
    };
    const unsigned count = sizeof(foreign) / sizeof(foreign[0]);
    struct fixture *fixture = *state;
    make_prefix(fixture);
    for (unsigned i = 0; i < count; i++)
        make_file(fixture, foreign[i]);
    unsigned buckets;
    assert_int_equal(prefix_resolve(fixture->root, "p", 4, false, &buckets), STORE_NO_PREFIX);
    assert_int_equal(prefix_resolve(fixture->root, "p", 4, true, &buckets), 0);
    assert_int_equal(buckets, 4);
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), 0);
    assert_int_equal(buckets, 4);
    /* 4 new ones, and one of the foreign names starts with a dot */
    assert_int_equal(count_entries(fixture), count - 1 + 4);
}

static void what_is_no_directory_is_refused(void **state)
{
    struct fixture *fixture = *state;
    make_file(fixture, "file");
    assert_int_equal(mkdir(in(fixture, "real"), 0700), 0);
    assert_int_equal(symlink("real", in(fixture, "link")), 0);
    unsigned buckets;
    for (int create = 0; create < 2; create++) {
        assert_int_equal(prefix_resolve(fixture->root, "file", 2, create, &buckets), -ENOTDIR);
        assert_int_equal(prefix_resolve(fixture->root, "link", 2, create, &buckets), -ELOOP);
    }
    assert_int_equal(rmdir(in(fixture, "real")), 0); /* so nothing was made in it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PREFIX_TEST(names_are_taken_or_refused),
        PREFIX_TEST(names_have_255_bytes_at_most),
        PREFIX_TEST(new_names_are_text_without_control_characters),
        PREFIX_TEST(refused_name_is_not_made_and_is_used_if_it_is_there),
        PREFIX_TEST(file_names_are_those_of_the_format),
        PREFIX_TEST(file_names_are_read_back),
        PREFIX_TEST(longest_name_can_be_used),
        PREFIX_TEST(lost_file_is_missed),
        PREFIX_TEST(existing_prefix_keeps_its_number),
        PREFIX_TEST(gap_is_refused),
        PREFIX_TEST(foreign_files_are_ignored),
        PREFIX_TEST(what_is_no_directory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
