/*
 * Tests of store/prefix_limit: how many prefixes may exist, how many inodes stay, and when the root
 * is listed. The program gets a clock that can be ahead, and a fstatvfs and readdir that say what
 * the test wants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/failing.h"
#include "lib/temporary.h"
#include "store/error.h"
#include "store/prefix_limit.h"
#include "store/prefix_resolve.h"

#define MOST 3

static time_t ahead_s;
static unsigned listings;
static bool type_unknown;
static struct statvfs file_system; /* f_files 0: the real one */

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = __real_clock_gettime(clock, now);
    now->tv_sec += ahead_s;
    return result;
}

static struct failing fail_fdopendir;
DIR *__real_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd)
{
    listings++;
    return failing_now(&fail_fdopendir) ? NULL : __real_fdopendir(fd);
}

static struct failing fail_readdir64;
struct dirent *__real_readdir64(DIR *directory);
struct dirent *__wrap_readdir64(DIR *directory);
struct dirent *__wrap_readdir64(DIR *directory)
{
    struct dirent *entry = failing_now(&fail_readdir64) ? NULL : __real_readdir64(directory);
    if (entry != NULL && type_unknown)
        entry->d_type = DT_UNKNOWN;
    return entry;
}

static struct failing fail_fstatvfs64;
int __real_fstatvfs64(int fd, struct statvfs *status);
int __wrap_fstatvfs64(int fd, struct statvfs *status);
int __wrap_fstatvfs64(int fd, struct statvfs *status)
{
    if (failing_now(&fail_fstatvfs64))
        return -1;
    *status = file_system;
    return file_system.f_files != 0 ? 0 : __real_fstatvfs64(fd, status);
}

FAILING_MKDIRAT
FAILING_PTHREAD_MUTEX_INIT
FAILING(pthread_mutex_lock, int, EDEADLK, (pthread_mutex_t * lock), (lock))

struct fixture {
    void *directory;
    struct root *root;
    struct prefix_limit *limit;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    *state = &fixture;
    ahead_s = 0;
    type_unknown = false;
    file_system = (struct statvfs){0};
    if (temporary_make(&fixture.directory) != 0 || root_open(fixture.directory, &fixture.root) != 0)
        return -1;
    fixture.limit = root_prefix_limit(fixture.root);
    prefix_limit_set(fixture.limit, MOST);
    listings = 0;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    root_close(fixture->root);
    return temporary_remove(&fixture->directory);
}

/* A prefix whose directory is then removed again. */
static int take(struct fixture *fixture)
{
    int error = prefix_limit_take(fixture->limit, true, 0);
    if (error == 0)
        prefix_limit_made(fixture->limit);
    return error;
}

static void make_directory(struct fixture *fixture, const char *name)
{
    assert_int_equal(mkdir(temporary_path(fixture->directory, name), 0700), 0);
}

static void remove_directory(struct fixture *fixture, const char *name)
{
    assert_int_equal(rmdir(temporary_path(fixture->directory, name)), 0);
}

/* So many are found when the root is listed. */
static void assert_exist(struct fixture *fixture, unsigned count)
{
    for (unsigned more = 0; more < 2; more++) {
        ahead_s += 60;
        prefix_limit_set(fixture->limit, count + more);
        assert_int_equal(take(fixture), more > 0 ? 0 : STORE_TOO_MANY_PREFIXES);
    }
}

static void directories_that_are_prefixes_count(void **state)
{
    struct fixture *fixture = *state;
    for (int unknown = 0; unknown < 2; unknown++) {
        type_unknown = unknown;
        assert_exist(fixture, 0);
        make_directory(fixture, "a");
        make_directory(fixture, "\xc2\x9b"); /* no such is made, and it exists */
        make_directory(fixture, ".dot");
        make_directory(fixture, "lost+found");
        assert_int_equal(close(creat(temporary_path(fixture->directory, "file"), 0600)), 0);
        assert_int_equal(symlink("a", temporary_path(fixture->directory, "link")), 0);
        assert_exist(fixture, 2);
        static const char *const names[] = {"a", "\xc2\x9b", ".dot", "lost+found"};
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            remove_directory(fixture, names[i]);
        assert_int_equal(unlink(temporary_path(fixture->directory, "file")), 0);
        assert_int_equal(unlink(temporary_path(fixture->directory, "link")), 0);
    }
}

static void root_is_listed_for_the_first_and_at_the_limit(void **state)
{
    struct fixture *fixture = *state;
    make_directory(fixture, "a");
    assert_int_equal(prefix_limit_take(fixture->limit, false, 5), 0);
    assert_int_equal(listings, 0); /* there is nothing to count */
    for (unsigned i = 0; i < MOST - 1; i++) {
        assert_int_equal(take(fixture), 0);
        assert_int_equal(listings, 1);
    }
    make_directory(fixture, "b");
    make_directory(fixture, "c");
    for (unsigned i = 0; i < 10; i++) { /* a client that tries again and again */
        assert_int_equal(take(fixture), STORE_TOO_MANY_PREFIXES);
        assert_int_equal(listings, 2);
    }
    ahead_s += 1;
    assert_int_equal(take(fixture), STORE_TOO_MANY_PREFIXES);
    assert_int_equal(listings, 3);
    remove_directory(fixture, "b");
    ahead_s += 1;
    assert_int_equal(take(fixture), 0);
    assert_int_equal(listings, 4);
    /* that one is gone again, which is seen at once */
    assert_int_equal(take(fixture), 0);
    assert_int_equal(listings, 5);
}

static void directories_of_others_are_noticed_after_a_minute(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(take(fixture), 0);
    make_directory(fixture, "a");
    make_directory(fixture, "b");
    make_directory(fixture, "c");
    ahead_s += 58;
    assert_int_equal(take(fixture), 0);
    assert_int_equal(listings, 1);
    ahead_s += 2;
    assert_int_equal(take(fixture), STORE_TOO_MANY_PREFIXES);
    assert_int_equal(listings, 2);
}

/* Those that were granted and are not there yet, which a list of the root lacks. */
static void directories_under_way_count(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < MOST; i++)
        assert_int_equal(prefix_limit_take(fixture->limit, true, 0), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(take(fixture), STORE_TOO_MANY_PREFIXES);
        assert_int_equal(listings, 1);
        ahead_s += 60;
    }
    prefix_limit_give_back(fixture->limit);
    assert_int_equal(prefix_limit_take(fixture->limit, true, 0), 0);
    assert_int_equal(take(fixture), STORE_TOO_MANY_PREFIXES);
    assert_int_equal(listings, 1);
    static const char *const names[] = {"a", "b", "c"};
    for (unsigned i = 0; i < MOST; i++) {
        make_directory(fixture, names[i]);
        prefix_limit_made(fixture->limit);
    }
    assert_int_equal(take(fixture), STORE_TOO_MANY_PREFIXES);
    assert_int_equal(listings, 2);
    remove_directory(fixture, "a");
    ahead_s += 1;
    assert_int_equal(take(fixture), 0);
}

/* What cannot be listed is not made, and the next one is tried again. */
static void listing_that_fails(void **state)
{
    struct fixture *fixture = *state;
    failing_arm(&fail_fdopendir, 1, ENOMEM);
    assert_int_equal(take(fixture), -ENOMEM);
    assert_true(failing_disarm(&fail_fdopendir));
    failing_arm(&fail_readdir64, 2, EIO);
    assert_int_equal(take(fixture), -EIO);
    assert_true(failing_disarm(&fail_readdir64));
    for (unsigned i = 0; i < MOST; i++)
        assert_int_equal(take(fixture), 0);
    assert_int_equal(listings, 3);
}

static void resolving_counts(void **state)
{
    struct fixture *fixture = *state;
    unsigned buckets;
    for (int again = 0; again < 2; again++) {
        assert_int_equal(prefix_resolve(fixture->root, "a", 2, true, &buckets), 0);
        assert_int_equal(prefix_resolve(fixture->root, "b", 2, true, &buckets), 0);
    }
    failing_arm(&fail_mkdirat, 1, EROFS); /* it does not count */
    assert_int_equal(prefix_resolve(fixture->root, "c", 2, true, &buckets), -EROFS);
    assert_true(failing_disarm(&fail_mkdirat));
    assert_int_equal(prefix_resolve(fixture->root, "c", 2, true, &buckets), 0);
    assert_int_equal(listings, 1 + 5); /* of the root, and of each that was there */
    assert_int_equal(prefix_resolve(fixture->root, "d", 2, true, &buckets),
                     STORE_TOO_MANY_PREFIXES);
    assert_int_equal(access(temporary_path(fixture->directory, "d"), F_OK), -1);
    assert_int_equal(prefix_resolve(fixture->root, "d", 2, false, &buckets), STORE_NO_PREFIX);
    assert_int_equal(prefix_resolve(fixture->root, "a", 2, true, &buckets), 0);
}

static int take_files(struct fixture *fixture, unsigned files)
{
    return prefix_limit_take(fixture->limit, false, files);
}

/* So many files are granted and no more; besides them a directory and MANIFEST are made. */
static void assert_files(struct fixture *fixture, unsigned files)
{
    assert_int_equal(take_files(fixture, files + 1), STORE_FEW_INODES);
    assert_int_equal(take_files(fixture, files), 0);
    prefix_limit_settle(fixture->limit, files);
}

static void last_inodes_are_kept(void **state)
{
    struct fixture *fixture = *state;
    file_system = (struct statvfs){.f_files = 1000000, .f_ffree = 999999, .f_favail = 1024 + 102};
    assert_files(fixture, 100);
    file_system.f_favail--; /* what only root may use does not count */
    assert_files(fixture, 99);
    file_system = (struct statvfs){.f_files = 40000, .f_ffree = 600, .f_favail = 502};
    assert_files(fixture, 100); /* 1 % are 400 */
    file_system.f_favail = 1;
    assert_int_equal(take_files(fixture, 1), STORE_FEW_INODES);
    assert_int_equal(take(fixture), STORE_FEW_INODES);
    file_system = (struct statvfs){.f_files = 0}; /* it does not say */
    assert_int_equal(take_files(fixture, 1), 0);
}

static void files_under_way_count(void **state)
{
    struct fixture *fixture = *state;
    file_system = (struct statvfs){.f_files = 1000000, .f_favail = 1024 + 102};
    assert_int_equal(take_files(fixture, 60), 0);
    assert_files(fixture, 40);
    prefix_limit_settle(fixture->limit, 10); /* were made */
    file_system.f_favail -= 10;
    assert_files(fixture, 40);
    prefix_limit_settle(fixture->limit, 50); /* will not be */
    assert_files(fixture, 90);
}

/* Nothing is made, and nothing stays promised. */
static void resolving_asks_for_files(void **state)
{
    struct fixture *fixture = *state;
    unsigned buckets;
    file_system = (struct statvfs){.f_files = 1000000, .f_favail = 1024 + 2 + 10};
    for (int again = 0; again < 3; again++) {
        assert_int_equal(prefix_resolve(fixture->root, "a", 11, true, &buckets), STORE_FEW_INODES);
        assert_int_equal(access(temporary_path(fixture->directory, "a"), F_OK), -1);
    }
    assert_int_equal(prefix_resolve(fixture->root, "a", 10, true, &buckets), 0);
    assert_files(fixture, 10);
    /* one that was cut short: 8 of 9 are missing */
    make_directory(fixture, "b");
    assert_int_equal(close(creat(temporary_path(fixture->directory, "b/append.8.raw"), 0600)), 0);
    file_system.f_favail = 1024 + 2 + 7;
    assert_int_equal(prefix_resolve(fixture->root, "b", 1, true, &buckets), STORE_FEW_INODES);
    file_system.f_favail++;
    assert_int_equal(prefix_resolve(fixture->root, "b", 1, true, &buckets), 0);
    assert_int_equal(buckets, 9);
    failing_arm(&fail_mkdirat, 1, EROFS);
    assert_int_equal(prefix_resolve(fixture->root, "c", 5, true, &buckets), -EROFS);
    assert_true(failing_disarm(&fail_mkdirat));
    assert_files(fixture, 8);
}

/* A kernel that does not allow it: then there is no such limit. */
static void file_system_that_cannot_be_asked(void **state)
{
    struct fixture *fixture = *state;
    file_system = (struct statvfs){.f_files = 1000000, .f_favail = 0};
    assert_int_equal(take_files(fixture, 1), STORE_FEW_INODES);
    failing_arm(&fail_fstatvfs64, 1, EPERM);
    assert_int_equal(take_files(fixture, 1), 0);
    assert_true(failing_disarm(&fail_fstatvfs64));
}

static void lock_that_fails(void **state)
{
    struct fixture *fixture = *state;
    struct root *root;
    failing_arm(&fail_pthread_mutex_lock, 1, 0);
    assert_int_equal(take(fixture), -EDEADLK);
    assert_true(failing_disarm(&fail_pthread_mutex_lock));
    for (int nth = 1;; nth++) {
        failing_arm(&fail_pthread_mutex_init, nth, 0);
        int error = root_open(temporary_path(fixture->directory, "other"), &root);
        if (!failing_disarm(&fail_pthread_mutex_init)) {
            assert_true(nth > 3); /* names, claims and the limit have one each */
            break;
        }
        assert_int_equal(error, -ENOMEM);
    }
    root_close(root);
}

static void any_number_may_exist_unless_it_is_set(void **state)
{
    struct fixture *fixture = *state;
    struct root *root;
    assert_int_equal(root_open(temporary_path(fixture->directory, "other"), &root), 0);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(prefix_limit_take(root_prefix_limit(root), true, 0), 0);
    assert_int_equal(listings, 0);
    root_close(root);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(directories_that_are_prefixes_count),
        TEST(root_is_listed_for_the_first_and_at_the_limit),
        TEST(directories_of_others_are_noticed_after_a_minute),
        TEST(directories_under_way_count),
        TEST(listing_that_fails),
        TEST(resolving_counts),
        TEST(last_inodes_are_kept),
        TEST(files_under_way_count),
        TEST(resolving_asks_for_files),
        TEST(file_system_that_cannot_be_asked),
        TEST(lock_that_fails),
        TEST(any_number_may_exist_unless_it_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
