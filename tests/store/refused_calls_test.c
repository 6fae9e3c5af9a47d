/*
 * Tests of store/ on a kernel that has no statx, preadv2 or extended attributes, or that refuses
 * them: others are called instead. What was found out is kept for all of the process, so each test
 * is a process of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/temporary.h"
#include "store/inventory.h"
#include "store/name_status.h"
#include "store/parts.h"

/* One kind of call: it fails with `error`, if that is not 0. */
struct call {
    int error;
    unsigned count;
};

static struct call statxs, fstatats, preadv2s, preadvs, fgetxattrs, fremovexattrs;

#define REFUSABLE(symbol, calls, type, parameters, arguments)                                      \
    type __real_##symbol parameters;                                                               \
    type __wrap_##symbol parameters;                                                               \
    type __wrap_##symbol parameters                                                                \
    {                                                                                              \
        (calls).count++;                                                                           \
        errno = (calls).error;                                                                     \
        return errno != 0 ? -1 : __real_##symbol arguments;                                        \
    }

REFUSABLE(statx, statxs, int,
          (int fd, const char *path, int flags, unsigned mask, struct statx *status),
          (fd, path, flags, mask, status))
REFUSABLE(fstatat64, fstatats, int, (int fd, const char *path, struct stat *status, int flags),
          (fd, path, status, flags))
REFUSABLE(preadv64v2, preadv2s, ssize_t,
          (int fd, const struct iovec *parts, int count, off_t offset, int flags),
          (fd, parts, count, offset, flags))
REFUSABLE(preadv64, preadvs, ssize_t, (int fd, const struct iovec *parts, int count, off_t offset),
          (fd, parts, count, offset))
REFUSABLE(fgetxattr, fgetxattrs, ssize_t, (int fd, const char *name, void *value, size_t bytes),
          (fd, name, value, bytes))
REFUSABLE(fremovexattr, fremovexattrs, int, (int fd, const char *name), (fd, name))

static const int refusals[] = {EPERM, ENOSYS};

struct fixture {
    void *directory;
    int directory_fd, fd;
    struct stat status;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    *state = &fixture;
    if (temporary_make(&fixture.directory) != 0)
        return -1;
    fixture.directory_fd = open(fixture.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fixture.fd = openat(fixture.directory_fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return write(fixture.fd, "0123456789", 10) != 10 || fstat(fixture.fd, &fixture.status) != 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    (void)close(fixture->fd);
    (void)close(fixture->directory_fd);
    return temporary_remove(&fixture->directory);
}

static void assert_status(const struct fixture *fixture, bool current)
{
    struct name_status status;
    assert_int_equal(name_status_read(fixture->directory_fd, "file", current, &status), 0);
    assert_int_equal(status.device, fixture->status.st_dev);
    assert_int_equal(status.inode, fixture->status.st_ino);
    assert_int_equal(status.bytes, 10);
}

static int read_status(const struct fixture *fixture, const char *name)
{
    struct name_status status;
    return name_status_read(fixture->directory_fd, name, false, &status);
}

static void refuse_statx(const struct fixture *fixture, int error, bool current)
{
    assert_status(fixture, current);
    assert_int_equal(statxs.count, 1);
    assert_int_equal(fstatats.count, 0);
    /* errors of the file itself; it is not asked twice unless statx may be refused */
    assert_int_equal(read_status(fixture, "none"), -ENOENT);
    assert_int_equal(read_status(fixture, "file/in"), -ENOTDIR);
    assert_int_equal(fstatats.count, 0);
    statxs.error = fstatats.error = error; /* a file system that says so of its own */
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(read_status(fixture, "file"), -error);
        assert_int_equal(fstatats.count, i);
        assert_int_equal(statxs.count, 3 + i);
    }
    fstatats.error = 0;
    for (int i = 0; i < 3; i++)
        assert_status(fixture, current);
    assert_int_equal(statxs.count, 6); /* once more, and not again */
    assert_int_equal(read_status(fixture, "none"), -ENOENT);
    assert_int_equal(symlinkat("file", fixture->directory_fd, "link"), 0);
    struct name_status status;
    assert_int_equal(name_status_read(fixture->directory_fd, "link", current, &status), 0);
    assert_int_not_equal(status.inode, fixture->status.st_ino);
    assert_int_equal(unlinkat(fixture->directory_fd, "link", 0), 0);
    assert_int_equal(statxs.count, 6);
}

static ssize_t read_parts(const struct fixture *fixture, bool cached_only)
{
    char first[4], second[16];
    bool waits = false;
    struct iovec parts[] = {{first, sizeof(first)}, {second, sizeof(second)}};
    ssize_t got =
        parts_read(fixture->fd, parts, 2, sizeof(first) + sizeof(second), 1, cached_only, &waits);
    if (got >= 0) {
        assert_int_equal(got, 9);
        assert_memory_equal(first, "1234", 4);
        assert_memory_equal(second, "56789", 5);
    }
    return got;
}

static void refuse_preadv2(const struct fixture *fixture, int error, bool cached_only)
{
    assert_int_equal(read_parts(fixture, false), 9);
    assert_int_equal(preadvs.count, 0);
    preadv2s.error = preadvs.error = error;
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(read_parts(fixture, cached_only), -error);
        assert_int_equal(preadvs.count, i);
    }
    preadvs.error = 0;
    unsigned before = preadv2s.count;
    for (int i = 0; i < 3; i++)
        assert_int_equal(read_parts(fixture, cached_only), 9);
    assert_int_equal(preadv2s.count, before + 1);
}

static void refuse_attributes(const struct fixture *fixture, int error, bool only_removing)
{
    static struct inventory inventory;
    assert_int_equal(close(openat(fixture->directory_fd, "append.0.raw", O_CREAT, 0600)), 0);
    fremovexattrs.error = error;
    fgetxattrs.error = only_removing ? 0 : error;
    assert_int_equal(inventory_take(fixture->directory_fd, &inventory), 0);
    assert_int_equal(inventory.attribute, 0);
    assert_int_equal(inventory_remove_attribute(fixture->directory_fd), 0);
    if (fsetxattr(fixture->directory_fd, "user.rochefort.buckets", "\x03\0\0\0", 4, 0) != 0)
        return;
    /* one that could be believed later is not passed over */
    assert_int_equal(inventory_remove_attribute(fixture->directory_fd), only_removing ? -error : 0);
    assert_int_equal(inventory_take(fixture->directory_fd, &inventory), 0);
    assert_int_equal(inventory.attribute, only_removing ? 3 : 0);
    assert_int_equal(removexattr(fixture->directory, "user.rochefort.buckets"), 0);
}

static void in_a_process(const struct fixture *fixture, int error, bool variant,
                         void (*run)(const struct fixture *fixture, int error, bool variant))
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        run(fixture, error, variant);
        _exit(0); /* a failed assertion ends it otherwise */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void with_each_refusal(const struct fixture *fixture,
                              void (*run)(const struct fixture *fixture, int error, bool variant))
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        for (int variant = 0; variant < 2; variant++)
            in_a_process(fixture, refusals[i], variant, run);
}

static void without_statx(void **state)
{
    with_each_refusal(*state, refuse_statx);
    /* the C library, when the kernel has no statx and is asked for what it cannot do itself */
    in_a_process(*state, EINVAL, true, refuse_statx);
}

static void without_preadv2(void **state)
{
    with_each_refusal(*state, refuse_preadv2);
}

static void without_attributes(void **state)
{
    with_each_refusal(*state, refuse_attributes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_statx),
        TEST(without_preadv2),
        TEST(without_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
