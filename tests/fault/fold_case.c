/*
 * fold_case: a file system that does not tell upper from lower case.
 *
 * Preloaded into the server under test. A name below a directory leads to what
 * is there under a name that differs in case only, if there is such a name.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int (*open_function)(int, const char *, int, ...);

static open_function real_openat(void)
{
    static open_function real;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "openat64");
    return real;
}

/* Puts the name of a directory's entry that differs in case only in place of `name`. */
static void fold_name(int directory_fd, char name[NAME_MAX + 1])
{
    int fd = real_openat()(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (directory == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL && strcasecmp(entry->d_name, name) != 0)
        ;
    if (entry != NULL)
        memcpy(name, entry->d_name, strlen(entry->d_name) + 1);
    (void)closedir(directory);
}

/* The path with the case that its names have; one or two of them. */
static const char *fold(int directory_fd, const char *path, char out[PATH_MAX])
{
    char first[NAME_MAX + 1], second[NAME_MAX + 1];
    const char *slash = strchrnul(path, '/');
    if (path[0] == '/' || path[0] == '\0' || strlen(path) > NAME_MAX)
        return path;
    (void)snprintf(first, sizeof(first), "%.*s", (int)(slash - path), path);
    fold_name(directory_fd, first);
    if (*slash == '\0') {
        (void)snprintf(out, PATH_MAX, "%s", first);
        return out;
    }
    int fd = real_openat()(directory_fd, first, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)snprintf(second, sizeof(second), "%s", slash + 1);
    if (fd >= 0) {
        fold_name(fd, second);
        (void)close(fd);
    }
    (void)snprintf(out, PATH_MAX, "%s/%s", first, second);
    return out;
}

int openat(int directory_fd, const char *path, int flags, ...)
{
    char folded[PATH_MAX];
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return real_openat()(directory_fd, fold(directory_fd, path, folded), flags, mode);
}

int mkdirat(int directory_fd, const char *path, mode_t mode)
{
    int (*real)(int, const char *, mode_t);
    char folded[PATH_MAX];
    *(void **)&real = dlsym(RTLD_NEXT, "mkdirat");
    return real(directory_fd, fold(directory_fd, path, folded), mode);
}

int fstatat(int directory_fd, const char *restrict path, struct stat *restrict status, int flags)
{
    int (*real)(int, const char *, struct stat *, int);
    char folded[PATH_MAX];
    *(void **)&real = dlsym(RTLD_NEXT, "fstatat64");
    return real(directory_fd, fold(directory_fd, path, folded), status, flags);
}

int statx(int directory_fd, const char *restrict path, int flags, unsigned mask,
          struct statx *restrict status)
{
    int (*real)(int, const char *, int, unsigned, struct statx *);
    char folded[PATH_MAX];
    *(void **)&real = dlsym(RTLD_NEXT, "statx");
    return real(directory_fd, fold(directory_fd, path, folded), flags, mask, status);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    int (*real)(int, const char *, int, const char *);
    char folded_from[PATH_MAX], folded_to[PATH_MAX];
    *(void **)&real = dlsym(RTLD_NEXT, "renameat");
    return real(from_fd, fold(from_fd, from, folded_from), to_fd, fold(to_fd, to, folded_to));
}

int unlinkat(int directory_fd, const char *path, int flags)
{
    int (*real)(int, const char *, int);
    char folded[PATH_MAX];
    *(void **)&real = dlsym(RTLD_NEXT, "unlinkat");
    return real(directory_fd, fold(directory_fd, path, folded), flags);
}
