#include "store/name_status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static atomic_bool refused; /* statx, and fstatat is not */

static int read_statx(int directory_fd, const char *path, bool current, struct name_status *status)
{
    struct statx found;
    int flags = AT_SYMLINK_NOFOLLOW | (current ? AT_STATX_FORCE_SYNC : 0);
    if (statx(directory_fd, path, flags, STATX_INO | STATX_SIZE, &found) != 0)
        return -errno;
    status->device = makedev(found.stx_dev_major, found.stx_dev_minor);
    status->inode = found.stx_ino;
    status->bytes = (int64_t)found.stx_size;
    return 0;
}

static int read_fstatat(int directory_fd, const char *path, struct name_status *status)
{
    struct stat found;
    if (fstatat(directory_fd, path, &found, AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    status->device = found.st_dev;
    status->inode = found.st_ino;
    status->bytes = found.st_size;
    return 0;
}

/* EINVAL is what the C library makes of ENOSYS if it does not know the flags. */
static bool may_be_refused(int error)
{
    return error == -EPERM || error == -ENOSYS || error == -EINVAL;
}

int name_status_read(int directory_fd, const char *path, bool current, struct name_status *status)
{
    if (atomic_load_explicit(&refused, memory_order_relaxed))
        return read_fstatat(directory_fd, path, status);
    int error = read_statx(directory_fd, path, current, status);
    if (!may_be_refused(error))
        return error;
    error = read_fstatat(directory_fd, path, status);
    if (error == 0)
        atomic_store_explicit(&refused, true, memory_order_relaxed);
    return error;
}
