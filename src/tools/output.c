#include "tools/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int output_open(struct output *output, const char *path, const struct stat *like)
{
    struct stat status;
    *output = (struct output){.fd = -1, .path = path};
    if (lstat(path, &status) == 0)
        return -EEXIST;
    if (errno != ENOENT)
        return -errno;
    if (asprintf(&output->partial, "%s.partial", path) < 0) {
        output->partial = NULL;
        return -ENOMEM;
    }
    output->fd = open(output->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                      S_IRUSR | S_IWUSR);
    if (output->fd < 0) {
        int error = -errno;
        free(output->partial); /* not ours to remove */
        output->partial = NULL;
        return error;
    }
    /* Only root may give files away; for others the copy is theirs, as with cp. */
    if (fchown(output->fd, like->st_uid, like->st_gid) != 0 && errno != EPERM)
        return -errno;
    return fchmod(output->fd, like->st_mode & 0777) != 0 ? -errno : 0;
}

/* The name, too, must be on the disk. */
static int sync_directory(const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL)
        return -ENOMEM;
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 ? -errno : 0;
    free(copy);
    if (error == 0 && fsync(fd) != 0 && errno != EINVAL) /* some file systems have no such thing */
        error = -errno;
    if (fd >= 0)
        (void)close(fd);
    return error;
}

static int rename_complete(const struct output *output)
{
    if (renameat2(AT_FDCWD, output->partial, AT_FDCWD, output->path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    /* A file system that knows no such renaming: a second link does not replace either. */
    if (link(output->partial, output->path) != 0)
        return -errno;
    return unlink(output->partial) != 0 ? -errno : 0;
}

int output_finish(struct output *output, int64_t size)
{
    if (ftruncate(output->fd, size) != 0 || fsync(output->fd) != 0)
        return -errno;
    int fd = output->fd;
    output->fd = -1;
    if (close(fd) != 0)
        return -errno;
    int error = rename_complete(output);
    if (error != 0)
        return error;
    free(output->partial);
    output->partial = NULL;
    return sync_directory(output->path);
}

void output_close(struct output *output)
{
    if (output->fd >= 0)
        (void)close(output->fd);
    if (output->partial != NULL)
        (void)unlink(output->partial);
    free(output->partial);
    *output = (struct output){.fd = -1};
}
