/*
 * Tests of store/lock: only one holds it, and who has held it learns that the file has lost its
 * name. This program brings its own calls to the kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/failing.h"
#include "lib/temporary.h"
#include "store/error.h"
#include "store/lock.h"

#define NAME "the.lock"
#define NEW_NAME NAME ".new"
#define RETRIES_MAX 1000 /* more would be an endless loop */

static struct {
    int directory_fd;
    int statx_error, statx_fails; /* so often */
    int replaced;                 /* the file is replaced before so many calls of flock */
    unsigned locked;              /* calls of flock */
    bool all_are_granted;         /* the file system has lost the locks of others */
    int replaced_after;           /* so many calls of renameat */
} fixture;

FAILING_UNLINKAT
FAILING(fchown, int, -1, (int fd, uid_t owner, gid_t group), (fd, owner, group))
FAILING(fchmod, int, -1, (int fd, mode_t mode), (fd, mode))

static struct failing fail_openat64, fail_renameat;
int __real_openat64(int fd, const char *name, int flags, mode_t mode);
int __wrap_openat64(int fd, const char *name, int flags, mode_t mode);
int __real_renameat(int old_fd, const char *old, int new_fd, const char *new);
int __wrap_renameat(int old_fd, const char *old, int new_fd, const char *new);
int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __real_statx(int fd, const char *name, int flags, unsigned mask, struct statx *status);
int __wrap_statx(int fd, const char *name, int flags, unsigned mask, struct statx *status);

static void make_anew(void)
{
    assert_int_equal(__real_unlinkat(fixture.directory_fd, NAME, 0), 0);
    int fd = openat(fixture.directory_fd, NAME, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

int __wrap_openat64(int fd, const char *name, int flags, mode_t mode)
{
    return failing_now(&fail_openat64) ? -1 : __real_openat64(fd, name, flags, mode);
}

int __wrap_renameat(int old_fd, const char *old, int new_fd, const char *new)
{
    if (failing_now(&fail_renameat))
        return -1;
    int result = __real_renameat(old_fd, old, new_fd, new);
    if (fixture.replaced_after > 0) {
        fixture.replaced_after--;
        make_anew();
    }
    return result;
}

int __wrap_flock(int fd, int operation)
{
    assert_true(fixture.locked++ < RETRIES_MAX);
    if (fixture.replaced > 0) {
        fixture.replaced--;
        make_anew();
    }
    int result = __real_flock(fd, operation);
    return fixture.all_are_granted ? 0 : result;
}

int __wrap_statx(int fd, const char *name, int flags, unsigned mask, struct statx *status)
{
    if (fixture.statx_fails == 0)
        return __real_statx(fd, name, flags, mask, status);
    fixture.statx_fails--;
    errno = fixture.statx_error;
    return -1;
}

static int set_up(void **state)
{
    memset(&fixture, 0, sizeof(fixture));
    if (temporary_make(state) != 0)
        return -1;
    fixture.directory_fd = open(*state, O_RDONLY | O_DIRECTORY);
    return fixture.directory_fd < 0;
}

static int tear_down(void **state)
{
    return close(fixture.directory_fd) != 0 || temporary_remove(state) != 0;
}

static int take_with(enum lock_flags flags, struct lock **lock)
{
    *lock = NULL;
    return lock_take(fixture.directory_fd, NAME, 0640, flags, lock);
}

static int take(struct lock **lock)
{
    return take_with(0, lock);
}

static struct lock *take_it(void)
{
    struct lock *lock;
    assert_int_equal(take(&lock), 0);
    return lock;
}

static void the_file_is_made_with_the_mode_and_stays(void **state)
{
    struct stat status;
    (void)state;
    mode_t before = umask(0);
    lock_release(take_it());
    (void)umask(before);
    assert_int_equal(fstatat(fixture.directory_fd, NAME, &status, 0), 0);
    assert_int_equal(status.st_mode, S_IFREG | 0640);
    lock_release(take_it());
    lock_release(NULL);
}

static void second_is_refused(void **state)
{
    struct lock *second, *lock = take_it();
    (void)state;
    assert_int_equal(take(&second), -EWOULDBLOCK);
    assert_null(second);
    assert_int_equal(lock_check(lock), 0);
    assert_null(lock_loss(lock));
    lock_release(lock);
    lock_release(take_it());
}

/* Another process locks the new file: the first of them must not think that it holds the root. */
static void file_that_is_replaced_before_it_is_locked_is_not_held(void **state)
{
    struct lock *lock, *second;
    (void)state;
    for (int replaced = 1; replaced <= 3; replaced++) {
        fixture.locked = 0;
        fixture.replaced = replaced;
        assert_int_equal(take(&lock), 0);
        assert_int_equal(fixture.locked, replaced + 2); /* and the new one */
        assert_int_equal(lock_check(lock), 0);
        assert_int_equal(take(&second), -EWOULDBLOCK);
        lock_release(lock);
    }
}

static void file_that_is_replaced_each_time_ends_the_tries(void **state)
{
    struct lock *lock;
    (void)state;
    fixture.replaced = RETRIES_MAX;
    assert_int_equal(take(&lock), STORE_LOCK_UNSTABLE);
    assert_null(lock);
    fixture.replaced = 0;
    lock_release(take_it());
}

static void remove_name(void)
{
    assert_int_equal(unlinkat(fixture.directory_fd, NAME, 0), 0);
}

static void move_away(void)
{
    assert_int_equal(renameat(fixture.directory_fd, NAME, fixture.directory_fd, "moved"), 0);
}

static void restore(void)
{
    assert_int_equal(renameat(fixture.directory_fd, "moved", fixture.directory_fd, NAME), 0);
}

static void rename_over(void)
{
    int fd = openat(fixture.directory_fd, "new", O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(renameat(fixture.directory_fd, "new", fixture.directory_fd, NAME), 0);
}

/* A link to the very file is not its name. */
static void link_to_it(void)
{
    move_away();
    assert_int_equal(symlinkat("moved", fixture.directory_fd, NAME), 0);
}

static void lose_connection(void)
{
    fixture.statx_fails = 1;
    fixture.statx_error = ENOTCONN;
}

static void become_stale(void)
{
    fixture.statx_fails = 1;
    fixture.statx_error = ESTALE;
}

static void lost_for_good(void **state)
{
    static const struct {
        void (*lose)(void);
        const char *why;
        void (*mend)(void); /* too late */
    } cases[] = {
        {remove_name, "it was removed", NULL},
        {move_away, "it was removed", restore},
        {make_anew, "another file has its name now", NULL},
        {rename_over, "another file has its name now", NULL},
        {link_to_it, "another file has its name now", NULL},
        {lose_connection, "Transport endpoint is not connected", NULL},
        {become_stale, "Stale file handle", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lock *lock = take_it();
        assert_int_equal(lock_check(lock), 0);
        cases[i].lose();
        assert_int_equal(lock_check(lock), STORE_ROOT_LOST);
        assert_string_equal(lock_loss(lock), cases[i].why);
        if (cases[i].mend != NULL)
            cases[i].mend();
        assert_int_equal(lock_check(lock), STORE_ROOT_LOST);
        assert_string_equal(lock_loss(lock), cases[i].why);
        lock_release(lock);
        (void)unlinkat(fixture.directory_fd, NAME, 0);
        (void)unlinkat(fixture.directory_fd, "moved", 0);
    }
}

static void interrupted_look_is_tried_again(void **state)
{
    struct lock *lock = take_it();
    (void)state;
    fixture.statx_fails = 3;
    fixture.statx_error = EINTR;
    assert_int_equal(lock_check(lock), 0);
    assert_int_equal(fixture.statx_fails, 0);
    lock_release(lock);
}

static void what_is_no_file_is_refused(void **state)
{
    struct lock *lock;
    (void)state;
    assert_int_equal(mkfifoat(fixture.directory_fd, NAME, 0600), 0);
    assert_int_equal(take(&lock), STORE_NOT_REGULAR);
    remove_name();
    assert_int_equal(mkdirat(fixture.directory_fd, NAME, 0700), 0);
    assert_int_equal(take(&lock), -EISDIR);
    assert_int_equal(unlinkat(fixture.directory_fd, NAME, AT_REMOVEDIR), 0);
    assert_int_equal(symlinkat("other", fixture.directory_fd, NAME), 0);
    assert_int_equal(take(&lock), -ELOOP);
    assert_int_equal(faccessat(fixture.directory_fd, "other", F_OK, 0), -1);
    assert_null(lock);
}

static ino_t inode_of(const char *name)
{
    struct stat status;
    return fstatat(fixture.directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? status.st_ino
                                                                                  : 0;
}

/* Of two that hold the lock the one that came first finds it out. */
static void who_comes_later_has_the_file(void **state)
{
    struct lock *second, *third, *first = take_it();
    (void)state;
    fixture.all_are_granted = true;
    assert_int_equal(lock_check(first), 0);
    second = take_it();
    assert_int_equal(lock_check(first), STORE_ROOT_LOST);
    assert_string_equal(lock_loss(first), "another file has its name now");
    assert_int_equal(lock_check(second), 0);
    fixture.all_are_granted = false; /* the new file is really locked */
    assert_int_equal(take(&third), -EWOULDBLOCK);
    lock_release(first);
    assert_int_equal(take(&third), -EWOULDBLOCK);
    assert_int_equal(lock_check(second), 0);
    lock_release(second);
    assert_int_equal(inode_of(NEW_NAME), 0);
}

static void each_time_it_is_another_file(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        ino_t before = inode_of(NAME);
        struct lock *lock = take_it();
        assert_int_not_equal(inode_of(NAME), before);
        lock_release(lock);
    }
}

static void replaced_after_the_rename_it_is_taken_again(void **state)
{
    struct lock *lock;
    (void)state;
    fixture.replaced_after = 2;
    assert_int_equal(take(&lock), 0);
    assert_int_equal(fixture.locked, 6);
    assert_int_equal(lock_check(lock), 0);
    lock_release(lock);
    fixture.locked = 0;
    fixture.replaced_after = RETRIES_MAX;
    assert_int_equal(take(&lock), STORE_LOCK_UNSTABLE);
}

/* Another process, at the same moment: it has made its new file, or has put ours into the place. */
static void two_that_replace_it_at_once_try_again(void **state)
{
    struct lock *lock;
    (void)state;
    failing_arm(&fail_renameat, 1, ENOENT);
    assert_int_equal(take(&lock), 0);
    assert_true(failing_disarm(&fail_renameat));
    lock_release(lock);
    failing_arm(&fail_openat64, 2, EEXIST);
    assert_int_equal(take(&lock), 0);
    assert_true(failing_disarm(&fail_openat64));
    lock_release(lock);
}

/* What a kill has left in its place, or somebody has put there. */
static void new_name_that_is_taken_is_freed(void **state)
{
    int fd = openat(fixture.directory_fd, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL, 0600);
    struct lock *lock;
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    lock_release(take_it());
    assert_int_equal(symlinkat("other", fixture.directory_fd, NEW_NAME), 0);
    lock_release(take_it());
    assert_int_equal(faccessat(fixture.directory_fd, "other", F_OK, 0), -1);
    assert_int_equal(mkdirat(fixture.directory_fd, NEW_NAME, 0700), 0);
    assert_int_equal(take(&lock), -EISDIR);
    assert_null(lock);
    assert_int_equal(unlinkat(fixture.directory_fd, NEW_NAME, AT_REMOVEDIR), 0);
    lock_release(take_it());
}

static void without_room_the_old_file_stays(void **state)
{
    static const int errors[] = {ENOSPC, EDQUOT, EACCES};
    struct lock *lock, *second;
    (void)state;
    lock_release(take_it());
    ino_t before = inode_of(NAME);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        failing_arm(&fail_openat64, 2, errors[i]);
        assert_int_equal(take(&lock), 0);
        assert_true(failing_disarm(&fail_openat64));
        assert_int_equal(inode_of(NAME), before);
        assert_int_equal(lock_check(lock), 0);
        assert_int_equal(take(&second), -EWOULDBLOCK);
        lock_release(lock);
        failing_arm(&fail_openat64, 2, errors[i]);
        assert_int_equal(take_with(LOCK_MUST_BE_NEW, &lock), -errors[i]);
        assert_true(failing_disarm(&fail_openat64));
        assert_null(lock);
    }
    assert_int_equal(take_with(LOCK_MUST_BE_NEW, &lock), 0);
    assert_int_not_equal(inode_of(NAME), before);
    lock_release(lock);
}

static void other_errors_of_a_new_file_are_told(void **state)
{
    struct failing *calls[] = {&fail_unlinkat, &fail_openat64, &fail_renameat};
    struct lock *lock;
    (void)state;
    lock_release(take_it());
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        failing_arm(calls[i], calls[i] == &fail_openat64 ? 2 : 1, EIO);
        assert_int_equal(take(&lock), -EIO);
        assert_true(failing_disarm(calls[i]));
        assert_null(lock);
        lock_release(take_it()); /* and nothing is held */
    }
}

static void mode_and_owner_stay(void **state)
{
    struct stat before, after;
    struct lock *lock;
    (void)state;
    lock_release(take_it());
    assert_int_equal(fchmodat(fixture.directory_fd, NAME, 0664, 0), 0);
    failing_arm(&fail_fchmod, 1, EIO);
    assert_int_equal(take(&lock), -EIO);
    assert_true(failing_disarm(&fail_fchmod));
    if (geteuid() == 0)
        assert_int_equal(fchownat(fixture.directory_fd, NAME, 12345, 54321, 0), 0);
    assert_int_equal(fstatat(fixture.directory_fd, NAME, &before, 0), 0);
    lock_release(take_it());
    assert_int_equal(fstatat(fixture.directory_fd, NAME, &after, 0), 0);
    assert_int_equal(after.st_mode, before.st_mode);
    assert_int_equal(after.st_uid, before.st_uid);
    assert_int_equal(after.st_gid, before.st_gid);
    if (geteuid() != 0)
        return;
    failing_arm(&fail_fchown, 1, EIO);
    assert_int_equal(take(&lock), -EIO);
    assert_true(failing_disarm(&fail_fchown));
    failing_arm(&fail_fchown, 1, EPERM);
    assert_int_equal(take(&lock), 0);
    assert_true(failing_disarm(&fail_fchown));
    lock_release(lock);
    assert_int_equal(fstatat(fixture.directory_fd, NAME, &after, 0), 0);
    assert_int_equal(after.st_uid, 0);
    assert_int_equal(after.st_mode, before.st_mode);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_file_is_made_with_the_mode_and_stays),
        TEST(second_is_refused),
        TEST(file_that_is_replaced_before_it_is_locked_is_not_held),
        TEST(file_that_is_replaced_each_time_ends_the_tries),
        TEST(lost_for_good),
        TEST(interrupted_look_is_tried_again),
        TEST(what_is_no_file_is_refused),
        TEST(who_comes_later_has_the_file),
        TEST(each_time_it_is_another_file),
        TEST(replaced_after_the_rename_it_is_taken_again),
        TEST(two_that_replace_it_at_once_try_again),
        TEST(new_name_that_is_taken_is_freed),
        TEST(without_room_the_old_file_stays),
        TEST(other_errors_of_a_new_file_are_told),
        TEST(mode_and_owner_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
