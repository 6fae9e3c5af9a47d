#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/error.h"
#include "store/name_status.h"
#include "store/owner.h"

/* What its name has at its end while it is made. One that a kill has left is removed. */
#define NEW_SUFFIX ".new"

/* A file that is replaced each time it is locked is no accident, and must not hold a start up. */
#define TRIES_MAX 100

struct lock {
    int directory_fd, fd;
    struct stat status; /* of the locked file */
    atomic_int loss;    /* 0, or the error that lock_check has met first */
    const char *new_name;
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
    return status.inode == lock->status.st_ino && status.device == lock->status.st_dev
               ? 0
               : STORE_CHANGED;
}

/* Opens and locks the file that has the name now. */
static int open_and_lock(struct lock *lock, mode_t mode, bool own_only)
{
    const struct stat *status = &lock->status;
    lock->fd = openat(lock->directory_fd, lock->name,
                      O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode);
    if (lock->fd < 0)
        return own_only ? owner_open_error(lock->directory_fd, lock->name, errno) : -errno;
    if (fstat(lock->fd, &lock->status) != 0)
        return -errno;
    if (!S_ISREG(status->st_mode))
        return STORE_NOT_REGULAR;
    if (own_only && !owner_is_us(status))
        return STORE_FOREIGN;
    return flock(lock->fd, LOCK_EX | LOCK_NB) != 0 ? -errno : 0;
}

/* Gives the new file the owner and mode of the one before. That an owner cannot be given away is no
 * error: the group may share the root. */
static int keep_owner_and_mode(int fd, const struct stat *before, const struct stat *now)
{
    if ((now->st_uid != before->st_uid || now->st_gid != before->st_gid) &&
        fchown(fd, before->st_uid, before->st_gid) != 0 && errno != EPERM)
        return -errno;
    return now->st_mode != before->st_mode && fchmod(fd, before->st_mode & ALLPERMS) != 0 ? -errno
                                                                                          : 0;
}

/* The descriptor of a new file, which is locked and has no name that counts yet, or -errno. */
static int make_new(const struct lock *lock, mode_t mode, struct stat *status)
{
    if (unlinkat(lock->directory_fd, lock->new_name, 0) != 0 && errno != ENOENT)
        return -errno;
    int fd = openat(lock->directory_fd, lock->new_name,
                    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return -errno;
    int error = fstat(fd, status) != 0 ? -errno : keep_owner_and_mode(fd, &lock->status, status);
    if (error == 0 && flock(fd, LOCK_EX | LOCK_NB) != 0)
        error = -errno;
    if (error == 0)
        return fd;
    (void)close(fd);
    return error;
}

/* There is no room for another file, or none may be made: then nobody else of this user makes one
 * either. */
static bool may_stay(int error)
{
    return error == -ENOSPC || error == -EDQUOT || error == -EACCES;
}

/*
 * Puts a new file, which is locked, into the place of the one that is locked. Another process that
 * does the same at that moment, because it holds a lock that this one has too, can have taken the
 * new file away, or have put it there: then STORE_CHANGED.
 */
static int replace(struct lock *lock, mode_t mode, bool must_be_new)
{
    struct stat status;
    int fd = make_new(lock, mode, &status);
    if (fd < 0 && may_stay(fd) && !must_be_new)
        return 0;
    if (fd < 0)
        return fd == -EEXIST ? STORE_CHANGED : fd;
    if (renameat(lock->directory_fd, lock->new_name, lock->directory_fd, lock->name) != 0) {
        int error = errno == ENOENT ? STORE_CHANGED : -errno;
        (void)close(fd);
        return error;
    }
    (void)close(lock->fd); /* not before the rename: others may wait for its lock */
    lock->fd = fd;
    lock->status = status;
    return compare_name(lock);
}

/* Room for both names in one object. */
static struct lock *new_lock(int directory_fd, const char *name)
{
    size_t bytes = strlen(name) + 1, new_bytes = bytes + strlen(NEW_SUFFIX);
    struct lock *lock = calloc(1, sizeof(*lock) + bytes + new_bytes);
    if (lock == NULL)
        return NULL;
    char *new_name = lock->name + bytes;
    memcpy(lock->name, name, bytes);
    (void)snprintf(new_name, new_bytes, "%s" NEW_SUFFIX, name);
    lock->new_name = new_name;
    lock->directory_fd = directory_fd;
    return lock;
}

int lock_take(int directory_fd, const char *name, mode_t mode, enum lock_flags flags,
              struct lock **out)
{
    struct lock *lock = new_lock(directory_fd, name);
    if (lock == NULL)
        return -ENOMEM;
    int error, tries = 0;
    while ((error = open_and_lock(lock, mode, (flags & LOCK_OWN_ONLY) != 0)) == 0) {
        error = compare_name(lock);
        if (error == 0)
            error = replace(lock, mode, (flags & LOCK_MUST_BE_NEW) != 0);
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
