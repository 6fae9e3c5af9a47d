/*
 * Tests of store/prefix: which names are taken, and that the number of buckets
 * is what the directory says, whatever was wished for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/temporary.h"
#include "store/error.h"
#include "store/prefix.h"

struct fixture {
    void *directory;
    struct root *root;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    *state = &fixture;
    if (temporary_make(&fixture.directory) != 0)
        return -1;
    return root_open(fixture.directory, &fixture.root);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    root_close(fixture->root);
    return temporary_remove(&fixture->directory);
}

static const char *in(const struct fixture *fixture, const char *name)
{
    return temporary_path(fixture->directory, name);
}

static void make_prefix(const struct fixture *fixture)
{
    assert_int_equal(mkdir(in(fixture, "p"), 0700), 0);
}

static void make_file(const struct fixture *fixture, const char *name)
{
    int fd = open(in(fixture, name), O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

/* Names in the directory of the prefix "p". */
static unsigned count_entries(const struct fixture *fixture)
{
    unsigned count = 0;
    struct dirent *entry;
    DIR *directory = opendir(in(fixture, "p"));
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.';
    (void)closedir(directory);
    return count;
}

static bool exists(const struct fixture *fixture, const char *name)
{
    return access(in(fixture, name), F_OK) == 0;
}

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

static void creation_makes_every_file(void **state)
{
    struct fixture *fixture = *state;
    unsigned buckets;
    assert_int_equal(prefix_resolve(fixture->root, "p", 3, true, &buckets), 0);
    assert_int_equal(buckets, 3);
    assert_int_equal(count_entries(fixture), 3);
    assert_true(exists(fixture, "p/append.0.raw"));
    assert_true(exists(fixture, "p/append.1.raw"));
    assert_true(exists(fixture, "p/append.2.raw"));
}

static void creation_makes_the_highest_file_first(void **state)
{
    struct fixture *fixture = *state;
    make_prefix(fixture);
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(watch >= 0);
    assert_true(inotify_add_watch(watch, in(fixture, "p"), IN_CREATE) >= 0);
    unsigned buckets;
    assert_int_equal(prefix_resolve(fixture->root, "p", 12, true, &buckets), 0);

    int expected = 11;
    char seen[8192] __attribute__((aligned(8)));
    ssize_t bytes = read(watch, seen, sizeof(seen));
    assert_true(bytes > 0);
    for (ssize_t at = 0; at < bytes; expected--) {
        const struct inotify_event *event = (const struct inotify_event *)(const void *)(seen + at);
        char name[64];
        (void)snprintf(name, sizeof(name), "append.%d.raw", expected);
        assert_string_equal(event->name, name);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    assert_int_equal(expected, -1);
    (void)close(watch);
}

static void creation_cut_short_is_completed(void **state)
{
    struct fixture *fixture = *state;
    make_prefix(fixture);
    make_file(fixture, "p/append.4.raw");
    make_file(fixture, "p/append.3.raw");
    unsigned buckets = 0;
    assert_int_equal(prefix_resolve(fixture->root, "p", 128, true, &buckets), 0);
    assert_int_equal(buckets, 5);
    assert_int_equal(count_entries(fixture), 5);
    assert_true(exists(fixture, "p/append.0.raw"));
    assert_true(exists(fixture, "p/append.1.raw"));
    assert_true(exists(fixture, "p/append.2.raw"));
}

static void prefix_can_be_completed_later(void **state)
{
    struct fixture *fixture = *state;
    make_prefix(fixture);
    make_file(fixture, "p/append.0.raw");
    assert_int_equal(prefix_complete(fixture->root, "p", 4),
                     STORE_FILES_MISSING); /* the last was lost */
    assert_int_equal(count_entries(fixture), 1);
    assert_int_equal(unlink(in(fixture, "p/append.0.raw")), 0);
    make_file(fixture, "p/append.3.raw");
    make_file(fixture, "p/append.2.raw");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(prefix_complete(fixture->root, "p", 4), 0);
        assert_int_equal(count_entries(fixture), 4);
    }
    assert_true(exists(fixture, "p/append.0.raw"));
    assert_true(exists(fixture, "p/append.1.raw"));
    assert_int_equal(unlink(in(fixture, "p/append.2.raw")), 0);
    assert_int_equal(prefix_complete(fixture->root, "p", 4), 0); /* lost, not cut short */
    assert_int_equal(count_entries(fixture), 3);
    make_file(fixture, "file");
    assert_int_equal(prefix_complete(fixture->root, "file", 4), -ENOTDIR);
}

static unsigned noted(struct fixture *fixture)
{
    uint32_t stored = 0;
    ssize_t got = getxattr(in(fixture, "p"), "user.rochefort.buckets", &stored, sizeof(stored));
    return got == sizeof(stored) ? le32toh(stored) : 0;
}

/* Its number would not be right for the files that are there: which of them holds an id? */
static void lost_file_is_missed(void **state)
{
    struct fixture *fixture = *state;
    static const char *const lost[] = {"p/append.3.raw", "p/append.0.raw", "p/append.1.raw"};
    unsigned buckets;
    assert_int_equal(prefix_resolve(fixture->root, "p", 4, true, &buckets), 0);
    if (noted(fixture) == 0)
        skip(); /* no extended attributes here */
    assert_int_equal(noted(fixture), 4);
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
        assert_int_equal(unlink(in(fixture, lost[i])), 0);
        for (int create = 0; create < 2; create++)
            assert_int_equal(prefix_resolve(fixture->root, "p", 4, create, &buckets),
                             STORE_FILES_MISSING);
        assert_int_equal(prefix_complete(fixture->root, "p", 4), i == 0 ? STORE_FILES_MISSING : 0);
        assert_int_equal(count_entries(fixture), 3);
        make_file(fixture, lost[i]);
    }
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), 0);
    assert_int_equal(buckets, 4);
    make_file(fixture, "p/append.4.raw"); /* one too many is as bad */
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), STORE_FILES_MISSING);
    assert_int_equal(unlink(in(fixture, "p/append.0.raw")), 0); /* also if their number is right */
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), STORE_FILES_MISSING);
}

static void number_is_noted_once_all_are_there(void **state)
{
    struct fixture *fixture = *state;
    unsigned buckets;
    make_prefix(fixture);
    make_file(fixture, "p/append.4.raw");
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, false, &buckets), 0);
    assert_int_equal(noted(fixture), 0); /* a read changes nothing */
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), 0);
    if (noted(fixture) == 0)
        skip();
    assert_int_equal(noted(fixture), 5);
    for (unsigned i = 0; i < 5; i++) {
        char file[BUCKET_FILE_NAME_BYTES + 2] = "p/";
        bucket_file_name(i, file + 2);
        assert_int_equal(unlink(in(fixture, file)), 0);
    }
    assert_int_equal(prefix_resolve(fixture->root, "p", 7, false, &buckets), STORE_NO_PREFIX);
    assert_int_equal(noted(fixture), 5);
    assert_int_equal(prefix_resolve(fixture->root, "p", 7, true, &buckets), 0);
    assert_int_equal(noted(fixture), 7);
    static const uint8_t wrong[] = {1, 2, 3, 4, 5, 6, 7, 8};
    assert_int_equal(setxattr(in(fixture, "p"), "user.rochefort.buckets", wrong, 8, 0), 0);
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), 0); /* not ours */
    assert_int_equal(buckets, 7);
}

/* It may be wrong: a copy may not be complete yet. */
static void number_that_was_only_counted_is_not_noted(void **state)
{
    struct fixture *fixture = *state;
    unsigned buckets;
    make_prefix(fixture);
    make_file(fixture, "p/append.0.raw");
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), 0);
    assert_int_equal(noted(fixture), 0);
    make_file(fixture, "p/append.1.raw");
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), 0);
    assert_int_equal(buckets, 2);
}

static void deleted_prefix_is_made_anew(void **state)
{
    struct fixture *fixture = *state;
    for (int directory = 0; directory < 2; directory++) { /* all of it, or only the files */
        unsigned buckets;
        assert_int_equal(prefix_complete(fixture->root, "p", 4), 0);
        assert_int_equal(count_entries(fixture), 4);
        assert_int_equal(prefix_resolve(fixture->root, "p", 9, false, &buckets), 0);
        assert_int_equal(buckets, 4);
        assert_int_equal(temporary_empty(in(fixture, "p")), 0);
        if (directory == 0)
            make_prefix(fixture);
    }
}

#define THREADS 4
#define BUCKETS 200

static void *complete(void *root)
{
    return (void *)(intptr_t)prefix_complete(root, "p", BUCKETS);
}

static void complete_by_several_threads(struct fixture *fixture)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, complete, fixture->root), 0);
    for (int i = 0; i < THREADS; i++) {
        void *error;
        assert_int_equal(pthread_join(threads[i], &error), 0);
        assert_null(error);
    }
    assert_int_equal(count_entries(fixture), BUCKETS);
    unsigned buckets;
    assert_int_equal(prefix_resolve(fixture->root, "p", 1, false, &buckets), 0);
    assert_int_equal(buckets, BUCKETS);
}

static void several_threads_may_complete_a_prefix(void **state)
{
    struct fixture *fixture = *state;
    char last[BUCKET_FILE_NAME_BYTES + 2];
    (void)snprintf(last, sizeof(last), "p/append.%d.raw", BUCKETS - 1);
    make_prefix(fixture);
    make_file(fixture, last);
    complete_by_several_threads(fixture);
    for (int round = 0; round < 4; round++) { /* or make a deleted one anew */
        assert_int_equal(temporary_empty(in(fixture, "p")), 0);
        complete_by_several_threads(fixture);
    }
}

static void reading_never_creates(void **state)
{
    struct fixture *fixture = *state;
    unsigned buckets = 99;
    assert_int_equal(prefix_resolve(fixture->root, "p", 3, false, &buckets), STORE_NO_PREFIX);
    assert_false(exists(fixture, "p"));
    make_prefix(fixture);
    assert_int_equal(prefix_resolve(fixture->root, "p", 3, false, &buckets), STORE_NO_PREFIX);
    assert_int_equal(count_entries(fixture), 0);
    make_file(fixture, "p/append.6.raw"); /* a creation cut short */
    assert_int_equal(prefix_resolve(fixture->root, "p", 3, false, &buckets), 0);
    assert_int_equal(buckets, 7);
    assert_int_equal(count_entries(fixture), 1);
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
                         STORE_FILES_MISSING);
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

static void highest_number_of_buckets_is_found(void **state)
{
    struct fixture *fixture = *state;
    make_prefix(fixture);
    make_file(fixture, "p/append.65535.raw");
    unsigned buckets;
    assert_int_equal(prefix_resolve(fixture->root, "p", 4, false, &buckets), 0);
    assert_int_equal(buckets, PREFIX_BUCKETS_MAX);
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
        int error = prefix_resolve(fixture->root, "link", 2, create, &buckets);
        assert_true(error == -ENOTDIR || error == -ELOOP);
    }
    assert_int_equal(rmdir(in(fixture, "real")), 0); /* so nothing was made in it */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_taken_or_refused),
        cmocka_unit_test(names_have_255_bytes_at_most),
        cmocka_unit_test(file_names_are_those_of_the_format),
        TEST(longest_name_can_be_used),
        TEST(creation_makes_every_file),
        TEST(creation_makes_the_highest_file_first),
        TEST(creation_cut_short_is_completed),
        TEST(prefix_can_be_completed_later),
        TEST(deleted_prefix_is_made_anew),
        TEST(lost_file_is_missed),
        TEST(number_is_noted_once_all_are_there),
        TEST(number_that_was_only_counted_is_not_noted),
        TEST(several_threads_may_complete_a_prefix),
        TEST(reading_never_creates),
        TEST(existing_prefix_keeps_its_number),
        TEST(gap_is_refused),
        TEST(foreign_files_are_ignored),
        TEST(highest_number_of_buckets_is_found),
        TEST(what_is_no_directory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
