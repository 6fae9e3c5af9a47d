/*
 * hold_disk: a disk that hangs while the test wants it to.
 *
 * Preloaded into the server under test. While the file $HOLD_FILE exists every
 * pwritev and preadv2 waits; each waiting call first creates $HOLD_FILE.waiting,
 * which tells the test that a call has arrived. In the same way
 * $HOLD_FILE.sync holds every fdatasync.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS 1000000

static void wait_while_held(const char *suffix)
{
    const char *name = getenv("HOLD_FILE");
    char held[4000], waiting[4096];
    if (name == NULL)
        return;
    (void)snprintf(held, sizeof(held), "%s%s", name, suffix);
    if (access(held, F_OK) != 0)
        return;
    (void)snprintf(waiting, sizeof(waiting), "%s.waiting", held);
    int fd = open(waiting, O_WRONLY | O_CREAT, 0600);
    if (fd >= 0)
        (void)close(fd);
    const struct timespec pause = {.tv_nsec = POLL_NS};
    while (access(held, F_OK) == 0)
        (void)nanosleep(&pause, NULL);
}

/* With _FILE_OFFSET_BITS=64 the symbols of these two are pwritev64 and preadv64v2. */
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t);
    *(void **)&real = dlsym(RTLD_NEXT, "pwritev64");
    wait_while_held("");
    return real(fd, parts, count, offset);
}

ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t, int);
    *(void **)&real = dlsym(RTLD_NEXT, "preadv64v2");
    wait_while_held("");
    return real(fd, parts, count, offset, flags);
}

int fdatasync(int fd)
{
    int (*real)(int);
    *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    wait_while_held(".sync");
    return real(fd);
}
