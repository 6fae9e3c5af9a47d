#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/error.h"
#include "store/name_status.h"
#include "store/owner.h"

/* A file that is replaced each time it is locked is no accident, and must not hold a start up. */
#define TRIES_MAX 100

struct lock {
    int directory_fd, fd;
    dev_t device;
    ino_t inode;
    atomic_int loss; /* 0, or the error that lock_check has met first */
    char name[];
};

/* 0, STORE_NO_FILE if nothing has the name, STORE_CHANGED if another file has it, or -errno. */
static int compare_name(const struct lock *lock)
{
    struct name_status status;
    int error;
    /* current: on a network file system the cache of this machine may be out of date */
    do
        error = name_status_read(lock->directory_fd, lock->name, true, &status);
    while (error == -EINTR);
    if (error != 0)
        return error == -ENOENT ? STORE_NO_FILE : error;
    return status.inode == lock->inode && status.device == lock->device ? 0 : STORE_CHANGED;
}

/* Opens and locks the file that has the name now. */
static int open_and_lock(struct lock *lock, mode_t mode, bool own_only)
{
    struct stat status;
    lock->fd = openat(lock->directory_fd, lock->name,
                      O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode);
    if (lock->fd < 0)
        return own_only ? owner_open_error(lock->directory_fd, lock->name, errno) : -errno;
    if (fstat(lock->fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return STORE_NOT_REGULAR;
    if (own_only && !owner_is_us(&status))
        return STORE_FOREIGN;
    lock->device = status.st_dev;
    lock->inode = status.st_ino;
    return flock(lock->fd, LOCK_EX | LOCK_NB) != 0 ? -errno : 0;
}

int lock_take(int directory_fd, const char *name, mode_t mode, bool own_only, struct lock **out)
{
    size_t bytes = strlen(name) + 1;
    struct lock *lock = calloc(1, sizeof(*lock) + bytes);
    if (lock == NULL)
        return -ENOMEM;
    lock->directory_fd = directory_fd;
    memcpy(lock->name, name, bytes);
    int error, tries = 0;
    while ((error = open_and_lock(lock, mode, own_only)) == 0) {
        error = compare_name(lock);
        if (error != STORE_NO_FILE && error != STORE_CHANGED)
            break;
        (void)close(lock->fd); /* and its lock */
        lock->fd = -1;
        error = STORE_LOCK_UNSTABLE;
        if (++tries == TRIES_MAX)
            break;
    }
    if (error != 0) {
        lock_release(lock);
        return error;
    }
    *out = lock;
    return 0;
}

void lock_release(struct lock *lock)
{
    if (lock == NULL)
        return;
    if (lock->fd >= 0)
        (void)close(lock->fd); /* the lock goes with it; nothing was written to the file */
    free(lock);
}

int lock_check(struct lock *lock)
{
    /* relaxed: a thread that does not know yet looks for itself */
    if (atomic_load_explicit(&lock->loss, memory_order_relaxed) != 0)
        return STORE_ROOT_LOST;
    int error = compare_name(lock);
    if (error == 0)
        return 0;
    int first = 0;
    (void)atomic_compare_exchange_strong(&lock->loss, &first, error);
    return STORE_ROOT_LOST;
}

const char *lock_loss(const struct lock *lock)
{
    int error = atomic_load_explicit(&lock->loss, memory_order_relaxed);
    if (error == 0)
        return NULL;
    if (error == STORE_CHANGED)
        return "another file has its name now";
    return error == STORE_NO_FILE ? "it was removed" : store_error_text(error);
}
