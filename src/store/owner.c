#include "store/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "store/error.h"

bool owner_is_us(const struct stat *status)
{
    return status->st_uid == geteuid();
}

bool owner_is_shared(const struct stat *directory)
{
    return (directory->st_mode & (S_IWGRP | S_IWOTH | S_ISVTX)) != 0;
}

int owner_open_error(int directory_fd, const char *name, int error)
{
    struct stat status;
    if (error != EACCES && error != EPERM)
        return -error;
    /* Without its mode nothing is known, and the first error says more than the second. */
    if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return -error;
    return owner_is_us(&status) ? -error : STORE_FOREIGN;
}
