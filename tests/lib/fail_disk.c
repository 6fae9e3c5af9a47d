/*
 * fail_disk: a disk that fails as the test plans it.
 *
 * Preloaded into the server under test. The file $FAIL_FILE is shared memory:
 * one struct plan for each kind of call, written by the test (faults.py). Of
 * the calls since the plan was made, number `nth` and `times - 1` more fail
 * with `error`, and those before move `bytes` bytes at most, if that is not 0;
 * without an `error` it is they that move `bytes` bytes at most. `seen` counts
 * the calls, so that a test that fails the Nth for N = 1, 2, ... knows when it
 * has been through all of them. An `error` below 0 is a signal that the process
 * gets instead, before the call.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The order is that of CALLS in faults.py, and FailingDisk of SyncTest.java counts on it too. */
enum call {
    PWRITEV,
    PREADV2,
    FTRUNCATE,
    FSTAT,
    OPENAT,
    FSETXATTR,
    PREAD,
    MKDIRAT,
    STATX,
    FDATASYNC,
    FSYNC,
    STATX_LOCK, /* of the root's lock file, which the others leave out */
    PWRITE,
    RENAMEAT,
    UNLINKAT,
    FREMOVEXATTR,
    CLOSE, /* of bucket files; they are closed also if it fails, as the kernel does it */
    CALLS
};

struct plan {
    int32_t error, nth, times, bytes;
    atomic_int seen;
};

#define PARTS_MAX 1024
#define LOCK_NAME ".rochefort.lock"

static struct plan *plans;

static __attribute__((constructor)) void map_plans(void)
{
    const char *path = getenv("FAIL_FILE");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, CALLS * sizeof(*plans), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (mapped != MAP_FAILED)
        plans = mapped;
}

/* True: fail with errno, which is set. Otherwise `*bytes`, if it is given, may have been reduced.
 */
static int fails(enum call call, size_t *bytes)
{
    if (plans == NULL)
        return 0;
    struct plan *plan = &plans[call];
    int32_t seen = atomic_fetch_add(&plan->seen, 1) + 1;
    if (seen < plan->nth && plan->error != 0 && plan->bytes != 0 && bytes != NULL)
        *bytes = (size_t)plan->bytes;
    if (seen < plan->nth || seen - plan->nth >= plan->times)
        return 0;
    if (plan->error < 0)
        (void)raise(-plan->error);
    errno = plan->error;
    if (plan->error == 0 && bytes != NULL && *bytes > (size_t)plan->bytes)
        *bytes = (size_t)plan->bytes;
    return plan->error != 0;
}

/* The parts, shortened to `bytes` bytes in all. Returns how many are left. */
static int shorten(const struct iovec *parts, int count, size_t bytes, struct iovec *out)
{
    int used = 0;
    for (; used < count && bytes > 0; used++) {
        out[used] = parts[used];
        if (out[used].iov_len > bytes)
            out[used].iov_len = bytes;
        bytes -= out[used].iov_len;
    }
    return used;
}

/* With _FILE_OFFSET_BITS=64 the symbols of these are pwritev64, preadv64v2, fstat64... */
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    static ssize_t (*real)(int, const struct iovec *, int, off_t);
    struct iovec shortened[PARTS_MAX];
    size_t bytes = SIZE_MAX;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pwritev64");
    if (fails(PWRITEV, &bytes))
        return -1;
    return real(fd, shortened, shorten(parts, count, bytes, shortened), offset);
}

ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    static ssize_t (*real)(int, const struct iovec *, int, off_t, int);
    struct iovec shortened[PARTS_MAX];
    size_t bytes = SIZE_MAX;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "preadv64v2");
    if (fails(PREADV2, &bytes))
        return -1;
    return real(fd, shortened, shorten(parts, count, bytes, shortened), offset, flags);
}

ssize_t pread(int fd, void *buffer, size_t bytes, off_t offset)
{
    static ssize_t (*real)(int, void *, size_t, off_t);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pread64");
    return fails(PREAD, &bytes) ? -1 : real(fd, buffer, bytes, offset);
}

int ftruncate(int fd, off_t length)
{
    static int (*real)(int, off_t);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "ftruncate64");
    return fails(FTRUNCATE, NULL) ? -1 : real(fd, length);
}

int fstat(int fd, struct stat *status)
{
    static int (*real)(int, struct stat *);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fstat64");
    return fails(FSTAT, NULL) ? -1 : real(fd, status);
}

int statx(int fd, const char *restrict name, int flags, unsigned mask,
          struct statx *restrict status)
{
    static int (*real)(int, const char *, int, unsigned, struct statx *);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "statx");
    enum call call = strcmp(name, LOCK_NAME) == 0 ? STATX_LOCK : STATX;
    return fails(call, NULL) ? -1 : real(fd, name, flags, mask, status);
}

int openat(int directory_fd, const char *name, int flags, ...)
{
    static int (*real)(int, const char *, int, ...);
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "openat64");
    return fails(OPENAT, NULL) ? -1 : real(directory_fd, name, flags, mode);
}

int mkdirat(int directory_fd, const char *name, mode_t mode)
{
    static int (*real)(int, const char *, mode_t);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "mkdirat");
    return fails(MKDIRAT, NULL) ? -1 : real(directory_fd, name, mode);
}

int fsetxattr(int fd, const char *name, const void *value, size_t bytes, int flags)
{
    static int (*real)(int, const char *, const void *, size_t, int);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fsetxattr");
    return fails(FSETXATTR, NULL) ? -1 : real(fd, name, value, bytes, flags);
}

int fdatasync(int fd)
{
    static int (*real)(int);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    return fails(FDATASYNC, NULL) ? -1 : real(fd);
}

int fsync(int fd)
{
    static int (*real)(int);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fsync");
    return fails(FSYNC, NULL) ? -1 : real(fd);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
    return fails(PWRITE, &bytes) ? -1 : real(fd, data, bytes, offset);
}

int renameat(int old_fd, const char *old, int new_fd, const char *new)
{
    static int (*real)(int, const char *, int, const char *);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "renameat");
    return fails(RENAMEAT, NULL) ? -1 : real(old_fd, old, new_fd, new);
}

int unlinkat(int fd, const char *name, int flags)
{
    static int (*real)(int, const char *, int);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "unlinkat");
    return fails(UNLINKAT, NULL) ? -1 : real(fd, name, flags);
}

int fremovexattr(int fd, const char *name)
{
    static int (*real)(int, const char *);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fremovexattr");
    return fails(FREMOVEXATTR, NULL) ? -1 : real(fd, name);
}

static int is_bucket_file(int fd)
{
    static const char tail[] = ".raw";
    const size_t tail_bytes = sizeof(tail) - 1;
    char name[64], path[4096];
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    ssize_t bytes = readlink(name, path, sizeof(path));
    return bytes > (ssize_t)tail_bytes && memcmp(path + bytes - tail_bytes, tail, tail_bytes) == 0;
}

int close(int fd)
{
    static int (*real)(int);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "close");
    int fail = plans != NULL && is_bucket_file(fd) && fails(CLOSE, NULL), error = errno;
    int result = real(fd);
    if (!fail)
        return result;
    errno = error;
    return -1;
}
