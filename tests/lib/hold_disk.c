/*
 * hold_disk: a disk that hangs while the test wants it to.
 *
 * Preloaded into the server under test. While the file $HOLD_FILE exists every
 * pwritev and preadv2 waits; each waiting call first creates $HOLD_FILE.waiting,
 * which tells the test that a call has arrived. In the same way
 * $HOLD_FILE.sync holds every fdatasync, and $HOLD_FILE.names every fsync. If
 * there is something in one of these two files, only such calls wait whose path
 * ends with it.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS 1000000

/* Whether the path of the descriptor, which may be -1, ends as the content of the file says. */
static int concerns(const char *held, int fd)
{
    char wanted[4096] = "", name[64], path[4096];
    int held_fd = open(held, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = held_fd >= 0 ? read(held_fd, wanted, sizeof(wanted) - 1) : 0;
    if (held_fd >= 0)
        (void)close(held_fd);
    if (bytes <= 0)
        return 1;
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    ssize_t path_bytes = readlink(name, path, sizeof(path));
    return path_bytes >= bytes && memcmp(path + path_bytes - bytes, wanted, (size_t)bytes) == 0;
}

static void wait_while_held(const char *suffix, int fd)
{
    const char *name = getenv("HOLD_FILE");
    char held[4000], waiting[4096];
    if (name == NULL)
        return;
    (void)snprintf(held, sizeof(held), "%s%s", name, suffix);
    if (access(held, F_OK) != 0 || !concerns(held, fd))
        return;
    (void)snprintf(waiting, sizeof(waiting), "%s.waiting", held);
    int waiting_fd = open(waiting, O_WRONLY | O_CREAT, 0600);
    if (waiting_fd >= 0)
        (void)close(waiting_fd);
    const struct timespec pause = {.tv_nsec = POLL_NS};
    while (access(held, F_OK) == 0)
        (void)nanosleep(&pause, NULL);
}

/* With _FILE_OFFSET_BITS=64 the symbols of these two are pwritev64 and preadv64v2. */
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t);
    *(void **)&real = dlsym(RTLD_NEXT, "pwritev64");
    wait_while_held("", -1);
    return real(fd, parts, count, offset);
}

ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t, int);
    *(void **)&real = dlsym(RTLD_NEXT, "preadv64v2");
    wait_while_held("", -1);
    return real(fd, parts, count, offset, flags);
}

int fdatasync(int fd)
{
    int (*real)(int);
    *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    wait_while_held(".sync", fd);
    return real(fd);
}

int fsync(int fd)
{
    int (*real)(int);
    *(void **)&real = dlsym(RTLD_NEXT, "fsync");
    wait_while_held(".names", fd);
    return real(fd);
}
