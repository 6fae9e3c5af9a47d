/*
 * Tests of store/root: the data directory is made and locked, and nothing
 * under it is reached through a symbolic link or mistaken for a file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/temporary.h"
#include "store/error.h"
#include "store/root.h"

/* A call that hangs ends the program. */
#define HANG_SECONDS 20

static struct root *open_root(const char *path)
{
    struct root *root;
    assert_int_equal(root_open(path, &root), 0);
    return root;
}

static void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    (void)closedir(directory);
    return count;
}

static void missing_parents_are_made(void **state)
{
    char path[PATH_MAX];
    (void)strcpy(path, temporary_path(*state, "a/b/c"));
    struct root *root = open_root(path);
    assert_string_equal(root_path(root), path);
    assert_true(is_directory(path));
    root_close(root);
    root_close(open_root(path)); /* and it is taken as it is the next time */
}

static void trailing_and_doubled_slashes_do_no_harm(void **state)
{
    char expected[PATH_MAX];
    (void)strcpy(expected, temporary_path(*state, "a//b"));
    struct root *root = open_root(temporary_path(*state, "a//b///"));
    assert_string_equal(root_path(root), expected);
    assert_true(is_directory(temporary_path(*state, "a/b")));
    root_close(root);
}

static void relative_path_becomes_absolute(void **state)
{
    char before[PATH_MAX], here[PATH_MAX], expected[PATH_MAX + 8];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_non_null(realpath(*state, here));
    assert_int_equal(chdir(here), 0);
    struct root *root = open_root("data/x");
    assert_int_equal(chdir("/"), 0);
    (void)snprintf(expected, sizeof(expected), "%s/data/x", here);
    assert_string_equal(root_path(root), expected);
    /* what is opened later does not depend on the working directory either */
    int fd = root_open_directory(root, "p", 1);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_true(is_directory(temporary_path(here, "data/x/p")));
    root_close(root);
    assert_int_equal(chdir(before), 0);
}

static void second_lock_is_refused(void **state)
{
    struct root *root = open_root(*state), *other = NULL;
    unsigned descriptors = open_descriptors();
    assert_int_equal(root_open(*state, &other), -EWOULDBLOCK);
    assert_null(other);
    assert_int_equal(open_descriptors(), descriptors);
    root_close(root);
    root_close(open_root(*state)); /* the lock has gone with its owner */
}

static void lock_holds_against_another_process(void **state)
{
    struct root *root = open_root(*state);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct root *other;
        _exit(root_open(*state, &other) == -EWOULDBLOCK ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    root_close(root);
}

/* Or whoever can write to the directory could have us lock, or make, any file. */
static void lock_file_is_no_link(void **state)
{
    struct root *root = NULL;
    make_file(temporary_path(*state, "other"));
    assert_int_equal(symlink("other", temporary_path(*state, ".rochefort.lock")), 0);
    assert_int_equal(root_open(*state, &root), -ELOOP);
    assert_null(root);
}

static void bad_paths_are_refused(void **state)
{
    struct root *root = NULL;
    unsigned descriptors = open_descriptors();
    char endless[PATH_MAX + 2];
    memset(endless, 'x', sizeof(endless) - 1);
    endless[0] = '/';
    endless[sizeof(endless) - 1] = '\0';
    make_file(temporary_path(*state, "file"));
    assert_int_equal(root_open("", &root), -ENOENT);
    assert_int_equal(root_open(endless, &root), -ENAMETOOLONG);
    assert_int_equal(root_open(temporary_path(*state, "file"), &root), -ENOTDIR);
    assert_int_equal(root_open(temporary_path(*state, "file/below"), &root), -ENOTDIR);
    assert_int_equal(symlink("nowhere/far", temporary_path(*state, "dangling")), 0);
    assert_true(root_open(temporary_path(*state, "dangling/x"), &root) < 0);
    assert_null(root);
    assert_int_equal(open_descriptors(), descriptors);
    root_close(NULL);
}

static void root_itself_may_be_a_link(void **state)
{
    assert_int_equal(mkdir(temporary_path(*state, "real"), 0700), 0);
    assert_int_equal(symlink("real", temporary_path(*state, "link")), 0);
    struct root *root = open_root(temporary_path(*state, "link"));
    assert_string_equal(root_path(root), temporary_path(*state, "link"));
    root_close(root);
}

static void prefix_directory_is_made_only_when_asked(void **state)
{
    struct root *root = open_root(*state);
    assert_int_equal(root_open_directory(root, "p", 0), -ENOENT);
    assert_false(is_directory(temporary_path(*state, "p")));
    for (int round = 0; round < 2; round++) {
        int fd = root_open_directory(root, "p", 1);
        assert_true(fd >= 0);
        (void)close(fd);
    }
    assert_true(is_directory(temporary_path(*state, "p")));
    root_close(root);
}

static void prefix_that_is_no_directory_is_refused(void **state)
{
    struct root *root = open_root(*state);
    assert_int_equal(mkdir(temporary_path(*state, "real"), 0700), 0);
    assert_int_equal(symlink("real", temporary_path(*state, "link")), 0);
    assert_int_equal(symlink("/nowhere", temporary_path(*state, "dangling")), 0);
    make_file(temporary_path(*state, "file"));
    unsigned descriptors = open_descriptors();
    for (int create = 0; create < 2; create++) {
        assert_int_equal(root_open_directory(root, "link", create), -ELOOP);
        assert_int_equal(root_open_directory(root, "dangling", create), -ELOOP);
        assert_int_equal(root_open_directory(root, "file", create), -ENOTDIR);
    }
    assert_int_equal(root_open_file(root, "link", "append.0.raw", O_RDWR | O_CREAT), -ELOOP);
    assert_true(access(temporary_path(*state, "real/append.0.raw"), F_OK) != 0);
    assert_int_equal(open_descriptors(), descriptors);
    root_close(root);
}

static void file_is_made_only_when_asked(void **state)
{
    struct root *root = open_root(*state);
    assert_int_equal(root_open_file(root, "p", "f", O_RDWR | O_CREAT), STORE_NO_FILE);
    assert_int_equal(mkdir(temporary_path(*state, "p"), 0700), 0);
    assert_int_equal(root_open_file(root, "p", "f", O_RDONLY), STORE_NO_FILE);
    int fd = root_open_file(root, "p", "f", O_RDWR | O_CREAT);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    (void)close(fd);
    fd = root_open_file(root, "p", "f", O_RDWR | O_CREAT); /* and is never cut */
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, 1);
    (void)close(fd);
    root_close(root);
}

static void linked_file_is_refused(void **state)
{
    struct root *root = open_root(*state);
    assert_int_equal(mkdir(temporary_path(*state, "p"), 0700), 0);
    make_file(temporary_path(*state, "outside"));
    assert_int_equal(symlink("../outside", temporary_path(*state, "p/link")), 0);
    assert_int_equal(symlink("../made", temporary_path(*state, "p/dangling")), 0);
    unsigned descriptors = open_descriptors();
    assert_int_equal(root_open_file(root, "p", "link", O_RDONLY), -ELOOP);
    assert_int_equal(root_open_file(root, "p", "link", O_RDWR | O_CREAT), -ELOOP);
    assert_int_equal(root_open_file(root, "p", "dangling", O_RDWR | O_CREAT), -ELOOP);
    assert_true(access(temporary_path(*state, "made"), F_OK) != 0);
    assert_int_equal(open_descriptors(), descriptors);
    root_close(root);
}

static void what_is_no_file_is_refused_without_waiting(void **state)
{
    struct root *root = open_root(*state);
    assert_int_equal(mkdir(temporary_path(*state, "p"), 0700), 0);
    assert_int_equal(mkfifo(temporary_path(*state, "p/fifo"), 0600), 0);
    assert_int_equal(mkdir(temporary_path(*state, "p/directory"), 0700), 0);
    unsigned descriptors = open_descriptors();
    (void)alarm(HANG_SECONDS);
    assert_int_equal(root_open_file(root, "p", "fifo", O_RDONLY), STORE_NOT_REGULAR);
    assert_int_equal(root_open_file(root, "p", "fifo", O_RDWR | O_CREAT), STORE_NOT_REGULAR);
    assert_true(root_open_file(root, "p", "fifo", O_WRONLY | O_CREAT) < 0);
    assert_int_equal(root_open_file(root, "p", "directory", O_RDONLY), -EISDIR);
    assert_true(root_open_file(root, "p", "directory", O_RDWR | O_CREAT) < 0);
    (void)alarm(0);
    assert_int_equal(open_descriptors(), descriptors);
    root_close(root);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_make, temporary_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(missing_parents_are_made),
        TEST(trailing_and_doubled_slashes_do_no_harm),
        TEST(relative_path_becomes_absolute),
        TEST(second_lock_is_refused),
        TEST(lock_holds_against_another_process),
        TEST(lock_file_is_no_link),
        TEST(bad_paths_are_refused),
        TEST(root_itself_may_be_a_link),
        TEST(prefix_directory_is_made_only_when_asked),
        TEST(prefix_that_is_no_directory_is_refused),
        TEST(file_is_made_only_when_asked),
        TEST(linked_file_is_refused),
        TEST(what_is_no_file_is_refused_without_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
