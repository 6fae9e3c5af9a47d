/*
 * Tests of root_sync_names: which directories are synced, and that a sync of one that has failed is
 * never tried again. This program brings its own fsync, and a lock that fails when it should.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/temporary.h"
#include "store/root.h"

#define CALLS_MAX 8

static struct {
    ino_t directories[CALLS_MAX];
    unsigned count, fails; /* the number of the call that fails; 0: none */
    int error;
} syncs;

int fsync(int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_true(syncs.count < CALLS_MAX);
    syncs.directories[syncs.count++] = status.st_ino;
    errno = syncs.error;
    return syncs.count == syncs.fails ? -1 : 0;
}

static int lock_error; /* of every call that makes or takes a lock */
int __real_pthread_mutex_init(pthread_mutex_t *lock, const pthread_mutexattr_t *attributes);
int __wrap_pthread_mutex_init(pthread_mutex_t *lock, const pthread_mutexattr_t *attributes);
int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);

int __wrap_pthread_mutex_init(pthread_mutex_t *lock, const pthread_mutexattr_t *attributes)
{
    return lock_error != 0 ? lock_error : __real_pthread_mutex_init(lock, attributes);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
    return lock_error != 0 ? lock_error : __real_pthread_mutex_lock(lock);
}

static ino_t inode(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_ino;
}

static void expect_synced(const char *directory, const char *const *names, unsigned count)
{
    assert_int_equal(syncs.count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(syncs.directories[i], inode(temporary_path(directory, names[i])));
    syncs.count = 0;
}

static int set_up(void **state)
{
    syncs.count = syncs.fails = 0;
    lock_error = 0;
    return temporary_make(state);
}

struct opened {
    struct root *root;
    int p, q; /* directories of prefixes */
};

static struct opened open_at(const char *directory, const char *name)
{
    struct opened opened;
    assert_int_equal(root_open(temporary_path(directory, name), &opened.root), 0);
    assert_true((opened.p = root_open_directory(opened.root, "p", 1)) >= 0);
    assert_true((opened.q = root_open_directory(opened.root, "q", 1)) >= 0);
    return opened;
}

static void close_all(struct opened *opened)
{
    assert_int_equal(close(opened->p), 0);
    assert_int_equal(close(opened->q), 0);
    root_close(opened->root);
}

#define EXPECT(...)                                                                                \
    expect_synced(*state, (const char *const[]){__VA_ARGS__},                                      \
                  sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static bool failed; /* what root_sync_names has said */

static void directory_and_root(void **state)
{
    int kept = 0;
    struct opened opened = open_at(*state, ".");
    for (int again = 0; again < 2; again++) {
        assert_int_equal(root_sync_names(opened.root, opened.p, &kept, &failed), 0);
        EXPECT("p", ".");
    }
    close_all(&opened);
}

/* Each of these is a name in the one above, and the first that was there is the last. */
static void parents_that_were_made_are_synced_once(void **state)
{
    int kept = 0;
    assert_int_equal(mkdir(temporary_path(*state, "there"), 0700), 0);
    struct opened opened = open_at(*state, "there/a//b/c");
    EXPECT("there/a/b", "there/a", "there"); /* after a restart nobody would know */
    assert_int_equal(root_sync_names(opened.root, opened.p, &kept, &failed), 0);
    EXPECT("there/a/b/c/p", "there/a/b/c");
    assert_int_equal(root_sync_names(opened.root, opened.q, &kept, &failed), 0);
    EXPECT("there/a/b/c/q", "there/a/b/c");
    close_all(&opened);
}

/* The Nth fails: the error stays with the directory, or with the root. */
static void no_sync_is_tried_again(void **state)
{
    static const int errors[] = {EIO, EINTR, EROFS, ENOSPC};
    static const char *const roots[] = {"1/a", "2/a", "3/a", "4/a"};
    for (unsigned nth = 1; nth <= 4; nth++) {
        int of_p = 0, of_q = 0, error = errors[nth - 1];
        bool of_parent = nth > 2; /* these are synced when the root is opened */
        syncs.error = error;
        syncs.fails = of_parent ? nth - 2 : 0;
        struct opened opened = open_at(*state, roots[nth - 1]);
        assert_int_equal(syncs.count, of_parent ? nth - 2 : 2);
        syncs.count = 0;
        syncs.fails = of_parent ? 0 : nth;
        assert_int_equal(root_sync_names(opened.root, opened.p, &of_p, &failed), -error);
        assert_true(failed);
        assert_int_equal(syncs.count, of_parent ? 0 : nth);
        assert_int_equal(of_p, nth == 1 ? -error : 0);
        syncs.fails = syncs.count = 0;
        assert_int_equal(root_sync_names(opened.root, opened.p, &of_p, &failed), -error);
        assert_true(failed);
        assert_int_equal(syncs.count, 0);
        assert_int_equal(root_sync_names(opened.root, opened.q, &of_q, &failed),
                         nth == 1 ? 0 : -error);
        of_p = 0; /* its prefix was closed */
        assert_int_equal(root_sync_names(opened.root, opened.p, &of_p, &failed),
                         nth == 1 ? 0 : -error);
        syncs.count = 0;
        close_all(&opened);
    }
}

/* There is nothing to sync in a directory of which the file system says that it cannot. */
static void what_cannot_be_synced_need_not(void **state)
{
    syncs.error = EINVAL;
    struct opened opened = open_at(*state, "a");
    for (unsigned nth = 1; nth <= 3; nth++) {
        int kept = 0;
        syncs.count = 0;
        syncs.fails = nth;
        assert_int_equal(root_sync_names(opened.root, opened.p, &kept, &failed), 0);
        assert_false(failed);
        assert_int_equal(kept, 0);
        assert_int_equal(syncs.count, 2);
    }
    syncs.count = 0;
    close_all(&opened);
}

/* No sync has failed, so it can be tried again. */
static void without_a_descriptor(void **state)
{
    struct rlimit before, none;
    int kept = 0;
    struct root *root;
    int next_fd = dup(0);
    assert_true(next_fd >= 0);
    assert_int_equal(close(next_fd), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){(rlim_t)next_fd + 2, before.rlim_max}; /* the root's own two */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(root_open(temporary_path(*state, "a/b"), &root), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(syncs.count, 0);
    struct opened opened = {.root = root,
                            .p = root_open_directory(root, "p", 1),
                            .q = root_open_directory(root, "q", 1)};
    none.rlim_cur = (rlim_t)opened.q + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(root_sync_names(opened.root, opened.p, &kept, &failed), -EMFILE);
    assert_false(failed);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(kept, 0);
    EXPECT("a/b/p", "a/b");
    assert_int_equal(root_sync_names(opened.root, opened.p, &kept, &failed), 0);
    EXPECT("a/b/p", "a/b", "a", ".");
    close_all(&opened);
}

static void without_a_lock(void **state)
{
    struct root *root = NULL;
    int kept = 0;
    lock_error = EAGAIN;
    assert_int_equal(root_open(temporary_path(*state, "a"), &root), -EAGAIN);
    assert_null(root);
    assert_int_equal(access(temporary_path(*state, "a"), F_OK), -1); /* nothing was made */
    lock_error = 0;
    struct opened opened = open_at(*state, "a");
    EXPECT(".");
    lock_error = EINVAL;
    assert_int_equal(root_sync_names(opened.root, opened.p, &kept, &failed), -EINVAL);
    assert_false(failed);
    assert_int_equal(syncs.count, 0);
    assert_int_equal(kept, 0); /* no sync has failed */
    lock_error = 0;
    assert_int_equal(root_sync_names(opened.root, opened.p, &kept, &failed), 0);
    EXPECT("a/p", "a");
    close_all(&opened);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, temporary_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(directory_and_root),     TEST(parents_that_were_made_are_synced_once),
        TEST(no_sync_is_tried_again), TEST(without_a_descriptor),
        TEST(without_a_lock),         TEST(what_cannot_be_synced_need_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
