/*
 * Tests of store/root and store/prefix: every call that opens, finds or makes a
 * root or a prefix fails once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <endian.h>
#include <pthread.h>
#include <stdio.h>
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
        *state, &(struct operation){
                    .run = open_root,
                    .told = "calloc stat mkdir open openat fstat statx flock unlinkat renameat",
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
        &(struct operation){
            .run = open_relative_root,
            .told = "calloc getcwd stat mkdir open openat fstat statx flock unlinkat renameat",
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

/* Of a new one, or of one whose files are all gone: what its directory says of them goes first. */
#define TOLD_BY_CREATION                                                                           \
    "calloc openat fdopendir readdir unlinkat fremovexattr fstat close pwrite renameat"

static void making_a_prefix(void **state)
{
    every_call_fails_once(*state, &(struct operation){.run = resolve_new,
                                                      .told = TOLD_BY_CREATION " mkdirat",
                                                      .ignored = "close"});
}

/* What was written to a file may be told only when it is closed; not so of a directory. */
static void closing_a_new_file(void **state)
{
    struct one_bucket *fixture = *state;
    for (int file = 1; file <= BUCKETS + 1; file++) { /* the last is MANIFEST */
        /* the directory was looked into, and is opened for each file */
        failing_arm(&fail_close, 1 + 2 * file, EDQUOT);
        assert_int_equal(resolve_new(fixture, (unsigned)file), -EDQUOT);
        assert_true(failing_disarm(&fail_close));
    }
}

static void make_prefix(struct one_bucket *fixture, unsigned round)
{
    assert_int_equal(resolve_new(fixture, round), 0);
}

static const char *path_in(struct one_bucket *fixture, unsigned round, const char *file)
{
    char below[TEMPORARY_PATH_BYTES];
    (void)snprintf(below, sizeof(below), "%s/%s", name_of(round), file);
    return temporary_path(fixture->directory, below);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The directory is left, with a MANIFEST of other files. */
static void empty_prefix(struct one_bucket *fixture, unsigned round)
{
    assert_int_equal(mkdir(temporary_path(fixture->directory, name_of(round)), 0700), 0);
    write_file(path_in(fixture, round, "MANIFEST"), "rochefort 1\nbuckets 7\nhash fnv1a\n");
}

/* Also when it is cut short: what the old MANIFEST says is not believed after that. */
static void filling_an_emptied_prefix(void **state)
{
    every_call_fails_once(*state, &(struct operation){.prepare = empty_prefix,
                                                      .run = resolve_new,
                                                      .told = TOLD_BY_CREATION " pread",
                                                      .ignored = "close"});
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
    every_call_fails_once(*state,
                          &(struct operation){.prepare = make_prefix,
                                              .run = resolve_old,
                                              .told = "openat fstat pread fdopendir readdir",
                                              .ignored = "close"});
}

/* Of an earlier server, with the buckets attribute. The first run gives it a MANIFEST. */
static void prepare_earlier(struct one_bucket *fixture, unsigned round)
{
    uint32_t stored = htole32(BUCKETS);
    make_prefix(fixture, round);
    write_file(path_in(fixture, round, "append.1.raw"), "not empty");
    assert_int_equal(unlink(path_in(fixture, round, "MANIFEST")), 0);
    const char *directory = temporary_path(fixture->directory, name_of(round));
    if (setxattr(directory, "user.rochefort.buckets", &stored, sizeof(stored), 0) != 0)
        skip();
}

/* It is found also when MANIFEST cannot be written. */
static void finding_a_prefix_of_an_earlier_server(void **state)
{
    every_call_fails_once(
        *state, &(struct operation){.prepare = prepare_earlier,
                                    .run = resolve_old,
                                    .told = "openat fstat fdopendir readdir fgetxattr fstatat",
                                    .ignored = "openat close fstat statx pwrite renameat"});
}

/* Only the last file is there. */
static void begin_prefix(struct one_bucket *fixture, unsigned round)
{
    char last[BUCKET_FILE_NAME_BYTES];
    bucket_file_name(BUCKETS - 1, last);
    assert_int_equal(mkdir(temporary_path(fixture->directory, name_of(round)), 0700), 0);
    assert_int_equal(mknod(path_in(fixture, round, last), S_IFREG | 0600, 0), 0);
}

static void completing_a_prefix(void **state)
{
    every_call_fails_once(
        *state, &(struct operation){.prepare = begin_prefix,
                                    .run = resolve_new,
                                    .told = "calloc openat fdopendir readdir fgetxattr fstat "
                                            "fstatat close pwrite renameat",
                                    .ignored = "close"});
}

/* The name that MANIFEST has while it is written does not stay. */
static void failed_manifest_leaves_nothing_behind(void **state)
{
    struct one_bucket *fixture = *state;
    struct failing *const calls[] = {&fail_pwrite64, &fail_renameat};
    for (unsigned i = 0; i < 2; i++) {
        failing_arm(calls[i], 1, ENOSPC);
        assert_int_equal(resolve_new(fixture, i), -ENOSPC);
        assert_true(failing_disarm(calls[i]));
        DIR *directory = opendir(temporary_path(fixture->directory, name_of(i)));
        assert_non_null(directory);
        struct dirent *entry;
        while ((entry = readdir(directory)) != NULL)
            assert_null(strstr(entry->d_name, "MANIFEST"));
        (void)closedir(directory);
    }
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
        TEST(finding_a_prefix_of_an_earlier_server),
        TEST(completing_a_prefix),
        TEST(failed_manifest_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
