/*
 * fail_tool: a disk that fails where it is told to.
 *
 * Preloaded into a tool under test. FAIL_READ=<from>-<to> makes every pread that
 * touches these bytes of a file fail with EIO; FAIL_CALL=<name>:<errno> makes
 * every call of that name fail: pread, pwrite, ftruncate, fsync, renameat2.
 * Standard streams do not come this way. STOP_READS=<from> stops the process, as
 * SIGSTOP does, before every pread that begins at that offset or behind it; STOP_LOCK before the
 * first flock.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static bool fails(const char *name)
{
    const char *call = getenv("FAIL_CALL");
    size_t length = strlen(name);
    if (call == NULL || strncmp(call, name, length) != 0 || call[length] != ':')
        return false;
    errno = atoi(call + length + 1);
    return true;
}

/* With _FILE_OFFSET_BITS=64 the symbols of the calls with an offset end in 64. */
ssize_t pread(int fd, void *into, size_t count, off_t offset)
{
    ssize_t (*real)(int, void *, size_t, off_t);
    *(void **)&real = dlsym(RTLD_NEXT, "pread64");
    long long from, to;
    const char *range = getenv("FAIL_READ");
    if (range != NULL && sscanf(range, "%lld-%lld", &from, &to) == 2 && offset < to &&
        offset + (off_t)count > from) {
        errno = EIO;
        return -1;
    }
    const char *stops = getenv("STOP_READS");
    if (stops != NULL && offset >= atoll(stops))
        (void)raise(SIGSTOP);
    return fails("pread") ? -1 : real(fd, into, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off_t);
    *(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
    return fails("pwrite") ? -1 : real(fd, bytes, count, offset);
}

int ftruncate(int fd, off_t size)
{
    int (*real)(int, off_t);
    *(void **)&real = dlsym(RTLD_NEXT, "ftruncate64");
    return fails("ftruncate") ? -1 : real(fd, size);
}

int flock(int fd, int operation)
{
    int (*real)(int, int);
    static bool stopped;
    *(void **)&real = dlsym(RTLD_NEXT, "flock");
    if (getenv("STOP_LOCK") != NULL && !stopped) {
        stopped = true;
        (void)raise(SIGSTOP);
    }
    return real(fd, operation);
}

int fsync(int fd)
{
    int (*real)(int);
    *(void **)&real = dlsym(RTLD_NEXT, "fsync");
    return fails("fsync") ? -1 : real(fd);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    int (*real)(int, const char *, int, const char *, unsigned);
    *(void **)&real = dlsym(RTLD_NEXT, "renameat2");
    return fails("renameat2") ? -1 : real(from_fd, from, to_fd, to, flags);
}
