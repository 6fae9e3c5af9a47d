/*
 * Tests of store/prefix_sync and store/name_syncs: which files and directories are synced, and
 * that a sync of the root that has failed is never tried again. This program brings its own fsync,
 * and a lock and an openat that fail when they should.
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
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/temporary.h"
#include "store/error.h"
#include "store/prefix_sync.h"
#include "store/root.h"

#define CALLS_MAX 8

static struct {
    ino_t inodes[CALLS_MAX];
    unsigned count, fails; /* the number of the call that fails; 0: none */
    int error;
} syncs;

int fsync(int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_true(syncs.count < CALLS_MAX);
    syncs.inodes[syncs.count++] = status.st_ino;
    errno = syncs.error;
    return syncs.count == syncs.fails ? -1 : 0;
}

static unsigned parent_opens_fail; /* so many times there is no descriptor for a directory above */
int __real_openat64(int fd, const char *name, int flags, mode_t mode);
int __wrap_openat64(int fd, const char *name, int flags, mode_t mode);

int __wrap_openat64(int fd, const char *name, int flags, mode_t mode)
{
    if (parent_opens_fail == 0 || strcmp(name, "..") != 0)
        return __real_openat64(fd, name, flags, mode);
    parent_opens_fail--;
    errno = EMFILE;
    return -1;
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
        assert_int_equal(syncs.inodes[i], inode(temporary_path(directory, names[i])));
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

static bool failed; /* what the last call has said */

static int sync_both(const struct root *root, const char *name)
{
    int error = prefix_sync_directory(root, name, &failed);
    return error != 0 ? error : root_sync_names(root, &failed);
}

static void directory_and_root(void **state)
{
    struct opened opened = open_at(*state, ".");
    for (int again = 0; again < 2; again++) {
        assert_int_equal(sync_both(opened.root, "p"), 0);
        EXPECT("p", ".");
    }
    assert_int_equal(prefix_sync_directory(opened.root, "none", &failed), -ENOENT);
    assert_false(failed);
    assert_int_equal(syncs.count, 0);
    close_all(&opened);
}

static void make_file(const struct root *root, const char *name)
{
    int fd = root_open_file(root, "p", name, O_WRONLY | O_CREAT);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

/* By descriptors of their own, which are closed again. A file that is missing is none to sync. */
static void files_and_manifest(void **state)
{
    struct opened opened = open_at(*state, ".");
    make_file(opened.root, "append.7.raw");
    int next_fd = dup(0);
    assert_true(next_fd >= 0 && close(next_fd) == 0);
    assert_int_equal(prefix_sync_file(opened.root, "p", 7, &failed), 0);
    EXPECT("p/append.7.raw");
    assert_int_equal(prefix_sync_file(opened.root, "p", 6, &failed), 0);
    assert_int_equal(prefix_sync_file(opened.root, "none", 7, &failed), 0);
    assert_int_equal(syncs.count, 0);
    make_file(opened.root, "MANIFEST");
    assert_int_equal(prefix_sync_directory(opened.root, "p", &failed), 0);
    EXPECT("p/MANIFEST", "p");
    assert_int_equal(dup(0), next_fd);
    assert_int_equal(close(next_fd), 0);
    close_all(&opened);
}

static void file_whose_sync_fails(void **state)
{
    static const int errors[] = {EIO, EINTR, EROFS, ENOSPC, EINVAL};
    struct opened opened = open_at(*state, ".");
    make_file(opened.root, "append.0.raw");
    make_file(opened.root, "MANIFEST");
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        syncs.error = errors[i];
        syncs.fails = 1;
        syncs.count = 0;
        assert_int_equal(prefix_sync_file(opened.root, "p", 0, &failed), -errors[i]);
        assert_true(failed);
        syncs.count = 0;
        assert_int_equal(prefix_sync_directory(opened.root, "p", &failed), -errors[i]);
        assert_true(failed);
        EXPECT("p/MANIFEST");
    }
    syncs.fails = 2; /* the directory */
    syncs.error = EIO;
    assert_int_equal(prefix_sync_directory(opened.root, "p", &failed), -EIO);
    assert_true(failed);
    syncs.fails = syncs.count = 0;
    assert_int_equal(unlink(temporary_path(*state, "p/append.0.raw")), 0);
    assert_int_equal(mkdir(temporary_path(*state, "p/append.0.raw"), 0700), 0);
    assert_int_equal(prefix_sync_file(opened.root, "p", 0, &failed), -EISDIR);
    assert_false(failed); /* no sync was tried */
    assert_int_equal(syncs.count, 0);
    close_all(&opened);
}

/* Each of these is a name in the one above, and the first that was there is the last. */
static void parents_that_were_made_are_synced_once(void **state)
{
    assert_int_equal(mkdir(temporary_path(*state, "there"), 0700), 0);
    struct opened opened = open_at(*state, "there/a//b/c");
    EXPECT("there/a/b", "there/a", "there"); /* after a restart nobody would know */
    for (int again = 0; again < 2; again++) {
        assert_int_equal(root_sync_names(opened.root, &failed), 0);
        EXPECT("there/a/b/c");
    }
    close_all(&opened);
}

/* The Nth fails, of the root or one above it. It is reported once; then all are refused. */
static void no_sync_is_tried_again(void **state)
{
    static const int errors[] = {EIO, ENOSPC, EINTR, EDQUOT};
    static const char *const roots[] = {"1/a", "2/a", "3/a", "4/a"};
    for (unsigned nth = 1; nth <= 4; nth++) {
        int error = errors[nth - 1];
        bool of_parent = nth > 2; /* these are synced when the root is opened */
        syncs.error = error;
        syncs.fails = of_parent ? nth - 2 : 0;
        struct opened opened = open_at(*state, roots[nth - 1]);
        assert_int_equal(syncs.count, of_parent ? nth - 2 : 2);
        syncs.count = 0;
        syncs.fails = of_parent ? 0 : 1;
        assert_int_equal(root_sync_names(opened.root, &failed), -error);
        assert_true(failed);
        assert_int_equal(syncs.count, of_parent ? 0 : 1);
        syncs.fails = syncs.count = 0;
        for (int again = 0; again < 3; again++) {
            failed = false;
            assert_int_equal(root_sync_names(opened.root, &failed), STORE_SYNC_REFUSED);
            assert_true(failed);
        }
        assert_int_equal(syncs.count, 0);
        close_all(&opened);
    }
}

/* There is nothing to sync in a directory of which the file system says that it cannot. */
static void what_cannot_be_synced_need_not(void **state)
{
    syncs.error = EINVAL;
    struct opened opened = open_at(*state, "a");
    for (unsigned nth = 1; nth <= 3; nth++) {
        syncs.count = 0;
        syncs.fails = nth;
        assert_int_equal(sync_both(opened.root, "p"), 0);
        assert_false(failed);
        assert_int_equal(syncs.count, 2);
    }
    syncs.count = 0;
    close_all(&opened);
}

/* No sync has failed, so it can be tried again. */
static void without_a_descriptor(void **state)
{
    struct rlimit before, none;
    struct root *root;
    parent_opens_fail = 1;
    assert_int_equal(root_open(temporary_path(*state, "a/b"), &root), 0);
    assert_int_equal(parent_opens_fail, 0);
    assert_int_equal(syncs.count, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct opened opened = {.root = root,
                            .p = root_open_directory(root, "p", 1),
                            .q = root_open_directory(root, "q", 1)};
    make_file(root, "append.0.raw");
    none = (struct rlimit){(rlim_t)opened.q + 1, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int of_file = prefix_sync_file(root, "p", 0, &failed);
    bool file_failed = failed;
    int of_directory = prefix_sync_directory(root, "p", &failed);
    bool directory_failed = failed;
    int of_root = root_sync_names(root, &failed);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(of_file, -EMFILE);
    assert_int_equal(of_directory, -EMFILE);
    assert_int_equal(of_root, -EMFILE); /* for one above it */
    assert_false(file_failed || directory_failed || failed);
    EXPECT("a/b");
    assert_int_equal(sync_both(root, "p"), 0);
    EXPECT("a/b/p", "a/b", "a", ".");
    close_all(&opened);
}

static void without_a_lock(void **state)
{
    struct root *root = NULL;
    lock_error = EAGAIN;
    assert_int_equal(root_open(temporary_path(*state, "a"), &root), -EAGAIN);
    assert_null(root);
    assert_int_equal(access(temporary_path(*state, "a"), F_OK), -1); /* nothing was made */
    lock_error = 0;
    struct opened opened = open_at(*state, "a");
    EXPECT(".");
    lock_error = EINVAL;
    assert_int_equal(root_sync_names(opened.root, &failed), -EINVAL);
    assert_false(failed); /* no sync has */
    assert_int_equal(syncs.count, 0);
    lock_error = 0;
    assert_int_equal(root_sync_names(opened.root, &failed), 0);
    EXPECT("a");
    close_all(&opened);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, temporary_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(directory_and_root),     TEST(files_and_manifest),
        TEST(file_whose_sync_fails),  TEST(parents_that_were_made_are_synced_once),
        TEST(no_sync_is_tried_again), TEST(without_a_descriptor),
        TEST(without_a_lock),         TEST(what_cannot_be_synced_need_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
