/*
 * Tests of store/root and store/prefix: every call that opens, finds or makes a
 * root or a prefix fails once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "store/error.h"
#include "store/every_call.h"
#include "store/prefix_resolve.h"

/* The name of a prefix; the next call overwrites it. */
static const char *name_of(unsigned round)
{
    static char name[16];
    (void)snprintf(name, sizeof(name), "n%u", round);
    return name;
}

static int open_root(struct one_bucket *fixture, unsigned round)
{
    struct root *root;
    char below[TEMPORARY_PATH_BYTES];
    (void)snprintf(below, sizeof(below), "%s/a/b", name_of(round));
    int error = root_open(temporary_path(fixture->directory, below), &root);
    if (error == 0)
        root_close(root);
    return error;
}

static void opening_a_root(void **state)
{
    every_call_fails_once(
        *state, &(struct operation){.run = open_root,
                                    .told = "calloc stat mkdir open openat fstat statx flock",
                                    .ignored = "close openat"});
}

static int open_relative_root(struct one_bucket *fixture, unsigned round)
{
    struct root *root;
    const char *path = temporary_path(fixture->directory, name_of(round));
    int error = root_open(path + 1, &root); /* from "/" */
    if (error != 0)
        return error;
    assert_string_equal(root_path(root), path);
    root_close(root);
    return 0;
}

static void opening_a_relative_root(void **state)
{
    char before[TEMPORARY_PATH_BYTES];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir("/"), 0);
    every_call_fails_once(
        *state,
        &(struct operation){.run = open_relative_root,
                            .told = "calloc getcwd stat mkdir open openat fstat statx flock",
                            .ignored = "close openat"});
    assert_int_equal(chdir(before), 0);
}

#define BUCKETS 3

static int resolve_new(struct one_bucket *fixture, unsigned round)
{
    unsigned buckets = 0;
    int error = prefix_resolve(fixture->root, name_of(round), BUCKETS, true, &buckets);
    assert_true(error != 0 || buckets == BUCKETS);
    return error;
}

static void making_a_prefix(void **state)
{
    every_call_fails_once(
        *state,
        &(struct operation){.run = resolve_new,
                            .told = "mkdirat openat fdopendir readdir fstat close fgetxattr",
                            .ignored = "close openat fsetxattr"});
}

/* What was written to a file may be told only when it is closed; not so of a directory. */
static void closing_a_new_file(void **state)
{
    struct one_bucket *fixture = *state;
    for (int file = 1; file <= BUCKETS; file++) {
        failing_arm(&fail_close, 2 * file, EDQUOT); /* each after its directory */
        assert_int_equal(resolve_new(fixture, (unsigned)file), -EDQUOT);
        assert_true(failing_disarm(&fail_close));
    }
}

static void make_prefix(struct one_bucket *fixture, unsigned round)
{
    assert_int_equal(resolve_new(fixture, round), 0);
}

/* The directory is left, with its buckets attribute. */
static void empty_prefix(struct one_bucket *fixture, unsigned round)
{
    make_prefix(fixture, round);
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
        char below[TEMPORARY_PATH_BYTES];
        (void)snprintf(below, sizeof(below), "%s/append.%d.raw", name_of(round), bucket);
        assert_int_equal(unlink(temporary_path(fixture->directory, below)), 0);
    }
}

static void filling_an_emptied_prefix(void **state)
{
    every_call_fails_once(
        *state,
        &(struct operation){.prepare = empty_prefix,
                            .run = resolve_new,
                            .told = "mkdirat openat fdopendir readdir fstat close fgetxattr",
                            .ignored = "close openat fsetxattr"});
}

static int resolve_old(struct one_bucket *fixture, unsigned round)
{
    unsigned buckets = 0;
    int error = prefix_resolve(fixture->root, name_of(round), BUCKETS + 1, false, &buckets);
    assert_true(error != 0 || buckets == BUCKETS);
    return error;
}

static void finding_a_prefix(void **state)
{
    every_call_fails_once(*state, &(struct operation){.prepare = make_prefix,
                                                      .run = resolve_old,
                                                      .told = "openat fdopendir readdir fgetxattr",
                                                      .ignored = ""});
}

static int complete(struct one_bucket *fixture, unsigned round)
{
    return prefix_complete(fixture->root, name_of(round), BUCKETS);
}

static void making_a_deleted_prefix_anew(void **state)
{
    every_call_fails_once(
        *state,
        &(struct operation){.run = complete,
                            .told = "mkdirat openat fdopendir readdir fstat close fgetxattr",
                            .ignored = "close openat fsetxattr"});
}

/* Only the last file is there. */
static void begin_prefix(struct one_bucket *fixture, unsigned round)
{
    char below[TEMPORARY_PATH_BYTES];
    (void)snprintf(below, sizeof(below), "%s/append.%d.raw", name_of(round), BUCKETS - 1);
    assert_int_equal(mkdir(temporary_path(fixture->directory, name_of(round)), 0700), 0);
    assert_int_equal(mknod(temporary_path(fixture->directory, below), S_IFREG | 0600, 0), 0);
}

static void completing_a_prefix(void **state)
{
    every_call_fails_once(
        *state,
        &(struct operation){.prepare = begin_prefix,
                            .run = complete,
                            .told = "mkdirat openat fdopendir readdir fstat close fgetxattr",
                            .ignored = "close openat fsetxattr"});
}

/*
 * The last file is not found, then there are some, and now the last is among them: that is another
 * thread at work. It was not found although it is there, because openat says so once.
 */
static void another_thread_completes_a_prefix(void **state)
{
    struct one_bucket *fixture = *state;
    make_prefix(fixture, 1);
    failing_arm(&fail_openat64, 2, ENOENT); /* the first opens the directory */
    assert_int_equal(complete(fixture, 1), 0);
    assert_true(failing_disarm(&fail_openat64));
}

/* The last file is missing and others are there; the second look at it fails. */
static void looking_again_for_the_last_file(void **state)
{
    struct one_bucket *fixture = *state;
    make_prefix(fixture, 1);
    char last[TEMPORARY_PATH_BYTES];
    (void)snprintf(last, sizeof(last), "%s/append.%d.raw", name_of(1), BUCKETS - 1);
    assert_int_equal(unlink(temporary_path(fixture->directory, last)), 0);
    assert_int_equal(complete(fixture, 1), STORE_FILES_MISSING);
    failing_arm(&fail_openat64, 5, EMFILE); /* directory, file, directory, directory, file */
    assert_int_equal(complete(fixture, 1), -EMFILE);
    assert_true(failing_disarm(&fail_openat64));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, one_bucket_set_up, one_bucket_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opening_a_root),
        TEST(opening_a_relative_root),
        TEST(making_a_prefix),
        TEST(closing_a_new_file),
        TEST(filling_an_emptied_prefix),
        TEST(finding_a_prefix),
        TEST(making_a_deleted_prefix_anew),
        TEST(completing_a_prefix),
        TEST(another_thread_completes_a_prefix),
        TEST(looking_again_for_the_last_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
