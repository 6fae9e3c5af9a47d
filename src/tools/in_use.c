#include "tools/in_use.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/root.h"

/* A root, the directory of a prefix in it, and a file in that. */
#define LEVELS 3

/* A server that starts puts a new lock file into the place of the old one; not so often, though. */
#define TRIES_MAX 100

/* A descriptor with a lock of that kind, or -errno. */
static int lock_file(const char *path, int operation)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (flock(fd, operation | LOCK_NB) == 0)
        return fd;
    int error = -errno;
    (void)close(fd);
    return error;
}

/* 0, -ESTALE if another file or none has the name by now, or -errno. */
static int compare_name(int fd, const char *path)
{
    struct stat locked, named;
    if (fstat(fd, &locked) != 0)
        return -errno;
    if (lstat(path, &named) != 0)
        return errno == ENOENT ? -ESTALE : -errno;
    return locked.st_dev == named.st_dev && locked.st_ino == named.st_ino ? 0 : -ESTALE;
}

/* The same of the lock file in a directory. */
static int lock_directory(const char *directory, int operation)
{
    char path[PATH_MAX + sizeof(ROOT_LOCK_NAME) + 1];
    size_t bytes = strlen(directory);
    memcpy(path, directory, bytes);
    path[bytes++] = '/';
    memcpy(path + bytes, ROOT_LOCK_NAME, sizeof(ROOT_LOCK_NAME));
    for (int tries = 1;; tries++) {
        int fd = lock_file(path, operation);
        int error = fd >= 0 ? compare_name(fd, path) : 0;
        if (error == 0)
            return fd;
        (void)close(fd); /* and its lock */
        if (error != -ESTALE || tries == TRIES_MAX)
            return error;
    }
}

/* Takes the last component off. False if there is none. */
static bool go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return false;
    *slash = '\0';
    return true;
}

bool in_use_now(const char *path)
{
    char absolute[PATH_MAX];
    if (realpath(path, absolute) == NULL)
        return false;
    for (int level = 0; level < LEVELS; level++) {
        /* Shared, and held for a moment only, so that it hardly keeps a server from starting. */
        int fd = lock_directory(absolute, LOCK_SH);
        if (fd == -EWOULDBLOCK)
            return true;
        if (fd >= 0)
            (void)close(fd);
        if (!go_up(absolute))
            return false;
    }
    return false;
}

int in_use_lock(const char *directory, struct in_use_lock *lock)
{
    char absolute[PATH_MAX];
    bool more = true;
    lock->fds[0] = lock->fds[1] = -1;
    if (realpath(directory, absolute) == NULL)
        return -errno;
    for (int level = 0; level < 2 && more; level++) {
        int fd = lock_directory(absolute, LOCK_EX);
        if (fd < 0 && fd != -ENOENT)
            return fd;
        lock->fds[level] = fd < 0 ? -1 : fd;
        more = go_up(absolute);
    }
    return 0;
}

void in_use_unlock(struct in_use_lock *lock)
{
    for (int level = 0; level < 2; level++)
        if (lock->fds[level] >= 0)
            (void)close(lock->fds[level]);
}
