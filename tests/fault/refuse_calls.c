/*
 * refuse_calls: an old kernel, or a container's filter of system calls.
 *
 * Preloaded into the server or a tool. $REFUSE_CALLS names calls, with spaces between; each fails
 * always with the errno $REFUSE_ERRNO.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static bool refused(const char *call)
{
    const char *calls = getenv("REFUSE_CALLS"), *error = getenv("REFUSE_ERRNO");
    if (calls == NULL || error == NULL)
        return false;
    size_t bytes = strlen(call);
    for (const char *at = calls; (at = strstr(at, call)) != NULL; at += bytes) {
        if ((at == calls || at[-1] == ' ') && (at[bytes] == ' ' || at[bytes] == '\0')) {
            errno = (int)strtol(error, NULL, 10);
            return true;
        }
    }
    return false;
}

int statx(int fd, const char *restrict name, int flags, unsigned mask,
          struct statx *restrict status)
{
    static int (*real)(int, const char *, int, unsigned, struct statx *);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "statx");
    return refused("statx") ? -1 : real(fd, name, flags, mask, status);
}

/* With _FILE_OFFSET_BITS=64 the symbols of these are preadv64v2 and fstatvfs64. */
ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    static ssize_t (*real)(int, const struct iovec *, int, off_t, int);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "preadv64v2");
    return refused("preadv2") ? -1 : real(fd, parts, count, offset, flags);
}

int fstatvfs(int fd, struct statvfs *status)
{
    static int (*real)(int, struct statvfs *);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fstatvfs64");
    return refused("fstatvfs") ? -1 : real(fd, status);
}

ssize_t fgetxattr(int fd, const char *name, void *value, size_t bytes)
{
    static ssize_t (*real)(int, const char *, void *, size_t);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fgetxattr");
    return refused("fgetxattr") ? -1 : real(fd, name, value, bytes);
}

int fsetxattr(int fd, const char *name, const void *value, size_t bytes, int flags)
{
    static int (*real)(int, const char *, const void *, size_t, int);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fsetxattr");
    return refused("fsetxattr") ? -1 : real(fd, name, value, bytes, flags);
}

int fremovexattr(int fd, const char *name)
{
    static int (*real)(int, const char *);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fremovexattr");
    return refused("fremovexattr") ? -1 : real(fd, name);
}
