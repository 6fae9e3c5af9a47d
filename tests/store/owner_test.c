/*
 * Tests of store/owner and of what root does with it: in a root that others may write to, what
 * another user owns is refused; in a root of one's own it is not. Skipped without root, who can
 * give files to others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/failing.h"
#include "lib/temporary.h"
#include "store/error.h"
#include "store/owner.h"
#include "store/root.h"

#define OTHER 12345
#define NOBODY 65534

static const struct {
    mode_t mode;
    bool shared;
} roots[] = {
    {0700, false}, {0755, false}, {0555, false}, {0770, true}, {0775, true},
    {0757, true},  {01777, true}, {01755, true}, {0720, true}, {0702, true},
};

FAILING_FSTATAT64
FAILING_FSTAT64

#define ROOTS (sizeof(roots) / sizeof(roots[0]))

static void who_else_may_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROOTS; i++) {
        struct stat status = {.st_mode = S_IFDIR | roots[i].mode};
        assert_int_equal(owner_is_shared(&status), roots[i].shared);
    }
}

static void give_away(const char *path)
{
    assert_int_equal(lchown(path, OTHER, OTHER), 0);
}

static void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

/* What root_open_directory and root_open_file are to say of what another user owns. */
static void check_refused(const char *directory, bool shared)
{
    struct root *root;
    assert_int_equal(root_open(directory, &root), 0);
    int fd = root_open_directory(root, "own", 0);
    assert_true(fd >= 0);
    assert_int_equal(root_check_owner(root, fd, "foreign"), shared ? STORE_FOREIGN : 0);
    assert_int_equal(root_check_owner(root, fd, "mine"), 0);
    assert_int_equal(root_check_owner(root, fd, "missing"), 0);
    (void)close(fd);
    fd = root_open_directory(root, "p", 1);
    assert_true(shared ? fd == STORE_FOREIGN : fd >= 0);
    if (fd >= 0)
        (void)close(fd);
    for (int flags = O_RDONLY; flags <= O_RDWR; flags += O_RDWR - O_RDONLY) {
        fd = root_open_file(root, "p", "foreign", flags); /* in a foreign directory */
        assert_true(shared ? fd == STORE_FOREIGN : fd >= 0);
        if (fd >= 0)
            (void)close(fd);
        fd = root_open_file(root, "own", "foreign", flags);
        assert_true(shared ? fd == STORE_FOREIGN : fd >= 0);
        if (fd >= 0)
            (void)close(fd);
        fd = root_open_file(root, "own", "hard link", flags);
        assert_true(shared ? fd == STORE_FOREIGN : fd >= 0);
        if (fd >= 0)
            (void)close(fd);
        assert_int_equal(root_open_file(root, "own", "symbolic link", flags), -ELOOP);
        fd = root_open_file(root, "own", "own", flags | O_CREAT);
        assert_true(fd >= 0);
        (void)close(fd);
    }
    root_close(root);
}

static void what_others_own_is_refused_in_a_shared_root(void **state)
{
    if (geteuid() != 0)
        skip();
    for (size_t i = 0; i < ROOTS; i++) {
        char path[TEMPORARY_PATH_BYTES];
        void *directory;
        assert_int_equal(temporary_make(&directory), 0);
        assert_int_equal(mkdir(temporary_path(directory, "p"), 0777), 0);
        make_file(temporary_path(directory, "p/foreign"));
        give_away(temporary_path(directory, "p"));
        assert_int_equal(mkdir(temporary_path(directory, "own"), 0777), 0);
        make_file(temporary_path(directory, "own/mine"));
        make_file(temporary_path(directory, "own/foreign"));
        give_away(temporary_path(directory, "own/foreign"));
        (void)strcpy(path, temporary_path(directory, "own/foreign"));
        assert_int_equal(link(path, temporary_path(directory, "own/hard link")), 0);
        assert_int_equal(symlink("foreign", temporary_path(directory, "own/symbolic link")), 0);
        assert_int_equal(chmod(directory, roots[i].mode), 0);
        check_refused(directory, roots[i].shared);
        assert_int_equal(temporary_remove(&directory), 0);
    }
    (void)state;
}

static void lock_file_of_another_user_is_refused_in_a_shared_root(void **state)
{
    if (geteuid() != 0)
        skip();
    for (size_t i = 0; i < ROOTS; i++) {
        struct root *root = NULL;
        void *directory;
        assert_int_equal(temporary_make(&directory), 0);
        make_file(temporary_path(directory, ROOT_LOCK_NAME));
        give_away(temporary_path(directory, ROOT_LOCK_NAME));
        assert_int_equal(chmod(directory, roots[i].mode), 0);
        assert_int_equal(root_open(directory, &root), roots[i].shared ? STORE_FOREIGN : 0);
        root_close(root);
        assert_int_equal(temporary_remove(&directory), 0);
    }
    (void)state;
}

/* Then the kernel refuses first, and the reason is the same. */
static void what_may_not_be_opened_is_refused_for_its_owner(void **state)
{
    if (geteuid() != 0)
        skip();
    struct root *root = NULL;
    assert_int_equal(chmod(*state, 01777), 0);
    assert_int_equal(mkdir(temporary_path(*state, "foreign"), 0700), 0);
    assert_int_equal(mkdir(temporary_path(*state, "own"), 0700), 0);
    make_file(temporary_path(*state, "own/file"));
    assert_int_equal(chmod(temporary_path(*state, "own/file"), 0600), 0);
    make_file(temporary_path(*state, "own/mine"));
    assert_int_equal(lchown(temporary_path(*state, "own"), NOBODY, NOBODY), 0);
    assert_int_equal(lchown(temporary_path(*state, "own/mine"), NOBODY, NOBODY), 0);
    assert_int_equal(chmod(temporary_path(*state, "own/mine"), 0), 0);
    assert_int_equal(seteuid(NOBODY), 0);
    assert_int_equal(root_open(*state, &root), 0);
    assert_int_equal(root_open_directory(root, "foreign", 0), STORE_FOREIGN);
    assert_int_equal(root_open_directory(root, "foreign", 1), STORE_FOREIGN);
    assert_int_equal(root_open_file(root, "own", "file", O_RDWR), STORE_FOREIGN);
    assert_int_equal(root_open_file(root, "own", "mine", O_RDWR), -EACCES);
    root_close(root);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(*state, 0755), 0); /* now the root is not shared */
    assert_int_equal(seteuid(NOBODY), 0);
    assert_int_equal(root_open(*state, &root), 0);
    assert_int_equal(root_open_directory(root, "foreign", 0), -EACCES);
    root_close(root);
    assert_int_equal(seteuid(0), 0);
}

static void an_owner_that_cannot_be_found_out_is_an_error(void **state)
{
    struct root *root = NULL;
    assert_int_equal(chmod(*state, 01777), 0);
    assert_int_equal(root_open(*state, &root), 0);
    failing_arm(&fail_fstat64, 1, EIO);
    assert_int_equal(root_open_directory(root, "p", 1), -EIO);
    assert_true(failing_disarm(&fail_fstat64));
    int fd = root_open_directory(root, "p", 0);
    assert_true(fd >= 0);
    failing_arm(&fail_fstatat64, 1, EIO);
    assert_int_equal(root_check_owner(root, fd, "missing"), -EIO);
    assert_true(failing_disarm(&fail_fstatat64));
    assert_int_equal(owner_open_error(fd, "missing", EACCES), -EACCES);
    assert_int_equal(owner_open_error(fd, "missing", EMFILE), -EMFILE);
    (void)close(fd);
    root_close(root);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_make, temporary_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_else_may_write),
        cmocka_unit_test(what_others_own_is_refused_in_a_shared_root),
        cmocka_unit_test(lock_file_of_another_user_is_refused_in_a_shared_root),
        TEST(what_may_not_be_opened_is_refused_for_its_owner),
        TEST(an_owner_that_cannot_be_found_out_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
