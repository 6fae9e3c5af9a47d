/*
 * every_call: store/ with a kernel and a heap that say no. Of each kind of call
 * the Nth fails, for N = 1, 2, ... until all is through. What fails says why,
 * holds no descriptor and leaves nothing broken: the same succeeds afterwards.
 *
 * The program must be linked with failing_calls(... ${store_calls}).
 */
#ifndef ROCHEFORT_TESTS_STORE_EVERY_CALL_H
#define ROCHEFORT_TESTS_STORE_EVERY_CALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/failing.h"
#include "store/one_bucket.h"

FAILING_CALLOC
FAILING_REALLOCARRAY
FAILING(getcwd, char *, NULL, (char *path, size_t bytes), (path, bytes))
FAILING(stat64, int, -1, (const char *path, struct stat *status), (path, status))
FAILING_FSTAT64
FAILING(statx, int, -1, (int fd, const char *path, int flags, unsigned mask, struct statx *status),
        (fd, path, flags, mask, status))
FAILING(mkdir, int, -1, (const char *path, mode_t mode), (path, mode))
FAILING_MKDIRAT
FAILING(flock, int, -1, (int fd, int operation), (fd, operation))
FAILING(fdopendir, DIR *, NULL, (int fd), (fd))
FAILING(readdir64, struct dirent *, NULL, (DIR * directory), (directory))
FAILING(pread64, ssize_t, -1, (int fd, void *data, size_t bytes, off_t at), (fd, data, bytes, at))
FAILING(preadv64v2, ssize_t, -1,
        (int fd, const struct iovec *parts, int count, off_t at, int flags),
        (fd, parts, count, at, flags))
FAILING(pwritev64, ssize_t, -1, (int fd, const struct iovec *parts, int count, off_t at),
        (fd, parts, count, at))
FAILING(pwrite64, ssize_t, -1, (int fd, const void *data, size_t bytes, off_t at),
        (fd, data, bytes, at))
FAILING_FSTATAT64
FAILING(renameat, int, -1, (int old_fd, const char *old, int new_fd, const char *new),
        (old_fd, old, new_fd, new))
FAILING_UNLINKAT
FAILING(fremovexattr, int, -1, (int fd, const char *name), (fd, name))
FAILING_FTRUNCATE64
FAILING(fgetxattr, ssize_t, -1, (int fd, const char *name, void *value, size_t bytes),
        (fd, name, value, bytes))
FAILING(fsetxattr, int, -1, (int fd, const char *name, const void *value, size_t bytes, int flags),
        (fd, name, value, bytes, flags))

static struct failing fail_open64, fail_openat64, fail_close;
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __real_openat64(int fd, const char *name, int flags, ...);
int __wrap_openat64(int fd, const char *name, int flags, ...);
int __real_close(int fd);
int __wrap_close(int fd);

/* 0 if there is no mode among the arguments. */
static inline mode_t mode_of(int flags, va_list arguments)
{
    return (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return failing_now(&fail_open64) ? -1 : __real_open64(path, flags, mode);
}

int __wrap_openat64(int fd, const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return failing_now(&fail_openat64) ? -1 : __real_openat64(fd, name, flags, mode);
}

/* Gives the descriptor up also when it fails, as Linux does. */
int __wrap_close(int fd)
{
    bool fails = failing_now(&fail_close);
    int error = errno;
    int result = __real_close(fd);
    errno = fails ? error : errno;
    return fails ? -1 : result;
}

static const struct kind {
    const char *name;
    struct failing *call;
    int error;
} kinds[] = {
    {"calloc", &fail_calloc, ENOMEM},
    {"reallocarray", &fail_reallocarray, ENOMEM},
    {"getcwd", &fail_getcwd, EACCES},
    {"stat", &fail_stat64, EACCES},
    {"fstat", &fail_fstat64, EIO},

    {"mkdir", &fail_mkdir, EROFS},
    {"mkdirat", &fail_mkdirat, ENOSPC},
    {"open", &fail_open64, EMFILE},
    {"openat", &fail_openat64, ENFILE},
    {"close", &fail_close, EDQUOT},
    {"flock", &fail_flock, ENOLCK},
    {"fdopendir", &fail_fdopendir, ENOMEM},
    {"readdir", &fail_readdir64, EIO},
    {"pread", &fail_pread64, EIO},
    {"preadv2", &fail_preadv64v2, EIO},
    {"pwritev", &fail_pwritev64, ENOSPC},
    {"ftruncate", &fail_ftruncate64, EIO},
    {"fgetxattr", &fail_fgetxattr, EIO},
    {"fsetxattr", &fail_fsetxattr, EIO},
    {"pwrite", &fail_pwrite64, ENOSPC},
    {"fstatat", &fail_fstatat64, EIO},
    {"renameat", &fail_renameat, ENOSPC},
    {"unlinkat", &fail_unlinkat, EROFS},
    {"fremovexattr", &fail_fremovexattr, EIO},
    {"statx", &fail_statx, EIO}, /* last: of the lock file it says that the root is lost */
};

static inline unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    (void)closedir(directory);
    return count;
}

/*
 * One thing that store/ does. `round` is another number each time, so that each has names of its
 * own. What `run` opens it closes again.
 */
struct operation {
    void (*prepare)(struct one_bucket *fixture, unsigned round);
    int (*run)(struct one_bucket *fixture, unsigned round);
    const char *told;    /* these calls are made, and an error of theirs is told */
    const char *ignored; /* or is not; of a call in both lists it depends on which it is */
};

static inline bool among(const char *name, const char *names)
{
    const char *found = strstr(names, name);
    size_t bytes = strlen(name);
    return found != NULL && (found == names || found[-1] == ' ') &&
           (found[bytes] == ' ' || found[bytes] == '\0');
}

/* How often a call of that kind was made fail. */
static inline unsigned fail_each(struct one_bucket *fixture, const struct operation *operation,
                                 const struct kind *kind, unsigned *round)
{
    for (int nth = 1;; nth++) {
        ++*round;
        if (operation->prepare != NULL)
            operation->prepare(fixture, *round);
        unsigned descriptors = open_descriptors();
        failing_arm(kind->call, nth, kind->error);
        int error = operation->run(fixture, *round);
        bool failed = failing_disarm(kind->call);
        if (error == 0)
            assert_true(!failed || among(kind->name, operation->ignored));
        else
            assert_true(failed && error == -kind->error && among(kind->name, operation->told));
        assert_int_equal(open_descriptors(), descriptors);
        assert_int_equal(operation->run(fixture, *round), 0);
        if (!failed)
            return (unsigned)nth - 1;
    }
}

static inline void every_call_fails_once(struct one_bucket *fixture,
                                         const struct operation *operation)
{
    unsigned round = 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        unsigned failed = fail_each(fixture, operation, &kinds[i], &round);
        bool known =
            among(kinds[i].name, operation->told) || among(kinds[i].name, operation->ignored);
        assert_int_equal(failed > 0, known);
    }
}

#endif
