#include "store/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME ".rochefort.lock"
#define DIRECTORY_MODE 0755
#define FILE_MODE 0644

struct root {
    int directory_fd;
    int lock_fd;
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

static int make_directories(const char *path)
{
    char partial[PATH_MAX];
    memcpy(partial, path, strlen(path) + 1);
    for (char *slash = partial; *slash != '\0';) {
        slash = strchrnul(slash + 1, '/');
        char end = *slash;
        *slash = '\0';
        if (mkdir(partial, DIRECTORY_MODE) != 0 && errno != EEXIST)
            return -errno;
        *slash = end;
    }
    return 0;
}

int root_open(const char *dir, struct root **out)
{
    struct root *root = calloc(1, sizeof(*root));
    if (root == NULL)
        return -ENOMEM;
    root->directory_fd = root->lock_fd = -1;
    int error = absolute_path(dir, root->path);
    if (error != 0)
        goto fail;
    const char *path = root->path[0] != '\0' ? root->path : "/";
    struct stat status;
    if (stat(path, &status) != 0) {
        error = errno == ENOENT ? make_directories(root->path) : -errno;
        if (error != 0)
            goto fail;
    }
    root->directory_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root->directory_fd < 0) {
        error = -errno;
        goto fail;
    }
    root->lock_fd = openat(root->directory_fd, LOCK_NAME,
                           O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, FILE_MODE);
    if (root->lock_fd < 0 || flock(root->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        error = -errno;
        goto fail;
    }
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
    if (root->lock_fd >= 0)
        (void)close(root->lock_fd); /* the lock goes with it */
    if (root->directory_fd >= 0)
        (void)close(root->directory_fd);
    free(root);
}

const char *root_path(const struct root *root)
{
    return root->path;
}

int root_open_directory(const struct root *root, const char *name, int create)
{
    if (create && mkdirat(root->directory_fd, name, DIRECTORY_MODE) != 0 && errno != EEXIST)
        return -errno;
    int fd = openat(root->directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int root_open_file(const struct root *root, const char *name, const char *file, int flags)
{
    int directory_fd = root_open_directory(root, name, 0);
    if (directory_fd < 0)
        return directory_fd;
    /* O_NONBLOCK: a named pipe in the place of a file must not hold the caller up. */
    int fd = openat(directory_fd, file, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, FILE_MODE);
    int error = fd >= 0 ? 0 : errno == ENXIO ? -EMEDIUMTYPE : -errno; /* a socket */
    (void)close(directory_fd);
    if (error != 0)
        return error;
    struct stat status;
    if (fstat(fd, &status) != 0)
        error = -errno;
    else if (!S_ISREG(status.st_mode))
        error = S_ISDIR(status.st_mode) ? -EISDIR : -EMEDIUMTYPE;
    if (error != 0) {
        (void)close(fd);
        return error;
    }
    return fd;
}
