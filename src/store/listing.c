#include "store/listing.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/names.h"

int listing_open(int directory_fd, DIR **out)
{
    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    *out = fdopendir(fd);
    if (*out != NULL)
        return 0;
    int error = -errno;
    (void)close(fd);
    return error;
}

bool listing_may_be_prefix(int root_fd, const struct dirent *entry)
{
    struct stat status;
    if (!prefix_name_valid(entry->d_name, strlen(entry->d_name)) ||
        strcmp(entry->d_name, "lost+found") == 0)
        return false;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(root_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(status.st_mode);
}
