#include "store/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/claims.h"
#include "store/error.h"
#include "store/listing.h"
#include "store/lock.h"
#include "store/name_status.h"
#include "store/name_syncs.h"
#include "store/owner.h"
#include "store/prefix_limit.h"

struct root {
    int directory_fd;
    mode_t file_mode;
    bool shared;       /* see owner.h */
    struct lock *lock; /* NULL: for reading only */
    struct claims *claims;
    struct prefix_limit *prefix_limit;
    struct name_syncs *name_syncs;
    char path[PATH_MAX];
};

/* Absolute and without trailing slashes, symbolic links left as the user wrote them. */
static int absolute_path(const char *dir, char out[PATH_MAX])
{
    size_t used = 0;
    if (dir[0] == '\0')
        return -ENOENT;
    if (dir[0] != '/') {
        if (getcwd(out, PATH_MAX) == NULL)
            return -errno;
        used = strlen(out);
        if (used > 1)
            out[used++] = '/';
    }
    size_t length = strlen(dir);
    if (used + length >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(out + used, dir, length + 1);
    used += length;
    while (used > 0 && out[used - 1] == '/')
        out[--used] = '\0';
    return 0;
}

mode_t root_directory_mode(mode_t file_mode)
{
    return file_mode | (file_mode & (S_IRUSR | S_IRGRP | S_IROTH)) >> 2;
}

/* Makes them where they are missing, and counts those. */
static int make_directories(const char *path, mode_t mode, unsigned *made)
{
    char partial[PATH_MAX];
    memcpy(partial, path, strlen(path) + 1);
    for (char *slash = partial; *slash != '\0';) {
        slash = strchrnul(slash + 1, '/');
        char end = *slash;
        *slash = '\0';
        if (mkdir(partial, mode) == 0)
            ++*made;
        else if (errno != EEXIST)
            return -errno;
        *slash = end;
    }
    return 0;
}

int root_open(const char *dir, struct root **out)
{
    const struct root_options options = {.file_mode = ROOT_FILE_MODE};
    return root_open_with(dir, &options, out);
}

/* Once it is known whether others may write to the root. */
static int take_lock(struct root *root, bool takes_over)
{
    unsigned flags = (root->shared ? LOCK_OWN_ONLY : 0) | (takes_over ? LOCK_MUST_BE_NEW : 0);
    return lock_take(root->directory_fd, ROOT_LOCK_NAME, root->file_mode, (enum lock_flags)flags,
                     &root->lock);
}

int root_open_with(const char *dir, const struct root_options *options, struct root **out)
{
    const mode_t file_mode = options->file_mode;
    struct root *root = calloc(1, sizeof(*root));
    if (root == NULL)
        return -ENOMEM;
    root->directory_fd = -1;
    root->file_mode = file_mode;
    unsigned made = 0;
    int error = name_syncs_new(&root->name_syncs);
    if (error != 0)
        goto fail;
    error = claims_new(&root->claims);
    if (error != 0)
        goto fail;
    error = absolute_path(dir, root->path);
    if (error != 0)
        goto fail;
    const char *path = root->path[0] != '\0' ? root->path : "/";
    struct stat status;
    if (stat(path, &status) != 0) {
        error = errno == ENOENT && !options->read_only
                    ? make_directories(root->path, root_directory_mode(file_mode), &made)
                    : -errno;
        if (error != 0)
            goto fail;
    }
    root->directory_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root->directory_fd < 0) {
        error = -errno;
        goto fail;
    }
    if (fstat(root->directory_fd, &status) != 0) {
        error = -errno;
        goto fail;
    }
    root->shared = owner_is_shared(&status);
    error = prefix_limit_new(root->directory_fd, &root->prefix_limit);
    if (error != 0)
        goto fail;
    error = options->read_only ? 0 : take_lock(root, options->takes_over);
    if (error != 0)
        goto fail;
    if (!options->read_only)
        name_syncs_begin(root->name_syncs, root->directory_fd, made);
    *out = root;
    return 0;
fail:
    root_close(root);
    return error;
}

void root_close(struct root *root)
{
    if (root == NULL)
        return;
    lock_release(root->lock);
    if (root->directory_fd >= 0)
        (void)close(root->directory_fd);
    name_syncs_free(root->name_syncs);
    claims_free(root->claims);
    prefix_limit_free(root->prefix_limit);
    free(root);
}

int root_check(const struct root *root)
{
    return root->lock != NULL ? lock_check(root->lock) : STORE_ROOT_READ_ONLY;
}

const char *root_loss(const struct root *root)
{
    return root->lock != NULL ? lock_loss(root->lock) : NULL;
}

bool root_read_only(const struct root *root)
{
    return root->lock == NULL;
}

struct prefix_limit *root_prefix_limit(const struct root *root)
{
    return root->prefix_limit;
}

const char *root_path(const struct root *root)
{
    return root->path;
}

int root_open_list(const struct root *root, DIR **out)
{
    return listing_open(root->directory_fd, out);
}

/* What errno means after an open that has failed. */
static int open_error(const struct root *root, int directory_fd, const char *name)
{
    return root->shared ? owner_open_error(directory_fd, name, errno) : -errno;
}

/* The directory that has the name now. */
static int open_name(const struct root *root, const char *name)
{
    struct stat status;
    int fd = openat(root->directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    int error = errno;
    /* the kernel says of a symbolic link only that it is no directory */
    if (error == ENOTDIR && fstatat(root->directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(status.st_mode))
        error = ELOOP;
    errno = error;
    return open_error(root, root->directory_fd, name);
}

/* Whether it may be used, and under this name. Returns `fd`, or closes it. */
static int take_directory(const struct root *root, const char *name, int fd)
{
    struct stat status;
    int error = fstat(fd, &status) != 0 ? -errno : 0;
    if (error == 0 && root->shared && !owner_is_us(&status))
        error = STORE_FOREIGN;
    if (error == 0)
        error = claims_take(root->claims, root->directory_fd, name, status.st_dev, status.st_ino);
    if (error == 0)
        return fd;
    (void)close(fd);
    return error;
}

int root_open_directory(const struct root *root, const char *name, int create)
{
    if (create && mkdirat(root->directory_fd, name, root_directory_mode(root->file_mode)) != 0 &&
        errno != EEXIST)
        return -errno;
    int fd = open_name(root, name);
    return fd >= 0 ? take_directory(root, name, fd) : fd;
}

void root_release_directory(const struct root *root, const char *name)
{
    claims_release(root->claims, name);
}

void root_find_holder(const struct root *root, const char *name, char out[NAME_MAX + 1])
{
    struct stat status;
    out[0] = '\0';
    if (fstatat(root->directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
        claims_holder(root->claims, status.st_dev, status.st_ino, out);
}

/* The same for a file. */
static int open_file_error(const struct root *root, int directory_fd, const char *name)
{
    if (errno == ENOENT)
        return STORE_NO_FILE;
    return errno == ENXIO ? STORE_NOT_REGULAR /* a socket */
                          : open_error(root, directory_fd, name);
}

int root_open_file(const struct root *root, const char *name, const char *file, int flags)
{
    int directory_fd = open_name(root, name);
    if (directory_fd < 0)
        return directory_fd == -ENOENT ? STORE_NO_FILE : directory_fd;
    directory_fd = take_directory(root, name, directory_fd);
    if (directory_fd < 0)
        return directory_fd;
    /* O_NONBLOCK: a named pipe in the place of a file must not hold the caller up. */
    int fd =
        openat(directory_fd, file, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, root->file_mode);
    int error = fd >= 0 ? 0 : open_file_error(root, directory_fd, file);
    (void)close(directory_fd);
    if (error != 0)
        return error;
    struct stat status;
    if (fstat(fd, &status) != 0)
        error = -errno;
    else if (!S_ISREG(status.st_mode))
        error = S_ISDIR(status.st_mode) ? -EISDIR : STORE_NOT_REGULAR;
    else if (root->shared && !owner_is_us(&status))
        error = STORE_FOREIGN;
    if (error != 0) {
        (void)close(fd);
        return error;
    }
    return fd;
}

int root_check_owner(const struct root *root, int directory_fd, const char *file)
{
    struct stat status;
    if (!root->shared)
        return 0;
    if (fstatat(directory_fd, file, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : -errno;
    return owner_is_us(&status) ? 0 : STORE_FOREIGN;
}

int root_find_file(const struct root *root, const char *path, dev_t device, ino_t inode,
                   int64_t *bytes)
{
    struct name_status status;
    /* what somebody else has written may not be in the cache of this machine */
    int error = name_status_read(root->directory_fd, path, root_read_only(root), &status);
    if (error != 0)
        return error == -ENOENT || error == -ENOTDIR ? STORE_NO_FILE : error;
    *bytes = status.bytes;
    return status.inode == inode && status.device == device ? 0 : STORE_NO_FILE;
}

int root_stamp_file(const struct root *root, const char *path, struct root_stamp *out)
{
    struct stat status;
    *out = (struct root_stamp){0};
    if (fstatat(root->directory_fd, path, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    out->device = status.st_dev;
    out->inode = status.st_ino;
    out->changed_s = status.st_ctim.tv_sec;
    out->changed_ns = status.st_ctim.tv_nsec;
    return 0;
}

bool root_stamps_equal(const struct root_stamp *a, const struct root_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->changed_s == b->changed_s &&
           a->changed_ns == b->changed_ns;
}

int root_sync_names(const struct root *root, bool *failed)
{
    return name_syncs_run(root->name_syncs, root->directory_fd, failed);
}

bool root_sync_failed(const struct root *root)
{
    return name_syncs_failed(root->name_syncs);
}

int root_check_room(const struct root *root, struct root_room *room)
{
    struct statvfs status;
    *room = (struct root_room){0};
    if (fstatvfs(root->directory_fd, &status) != 0)
        return -errno;
    room->free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    room->size_bytes = (uint64_t)status.f_blocks * status.f_frsize;
    if (status.f_bavail < (ROOT_ROOM_BYTES + status.f_frsize - 1) / status.f_frsize)
        return -ENOSPC;
    /* a file system that does not say how many it has has no limit of its own */
    return status.f_files == 0 || status.f_favail >= ROOT_ROOM_INODES ? 0 : STORE_FEW_INODES;
}
