/*
 * no_disk: a disk that costs nothing, preloaded into the server.
 *
 * Reads find a record of $NO_DISK_BYTES bytes wherever they look, and writes
 * are over at once; neither calls the kernel. What a request costs then is the
 * HTTP, and the way to a disk thread and back. Names are looked up for real,
 * and a file has the length that was written to it, as long as it is open.
 */
#include <dlfcn.h>
#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#define FILES_MAX 65536
#define HEADER_BYTES 16
#define SUMMED_BYTES 12

static uint8_t header[HEADER_BYTES];
/* Each is touched by the thread alone that has the file open. */
static ino_t files[FILES_MAX];   /* by descriptor; 0: not known yet */
static off_t lengths[FILES_MAX]; /* by the end of the inode's number: those of a prefix differ */

static __attribute__((constructor)) void make_header(void)
{
    const char *text = getenv("NO_DISK_BYTES");
    uint32_t bytes = htole32(text == NULL ? 1 : (uint32_t)strtoul(text, NULL, 10));
    memcpy(header, &bytes, sizeof(bytes));
    uint32_t sum = htole32((uint32_t)crc32(0, header, SUMMED_BYTES));
    memcpy(header + SUMMED_BYTES, &sum, sizeof(sum));
}

static ssize_t total(const struct iovec *parts, int count)
{
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += parts[i].iov_len;
    return (ssize_t)bytes;
}

static off_t *length_of(ino_t file)
{
    return &lengths[file % FILES_MAX];
}

/* With _FILE_OFFSET_BITS=64 the symbols of these are pwritev64 and preadv64v2. */
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    struct stat status;
    ssize_t bytes = total(parts, count);
    if (fd >= FILES_MAX)
        return bytes;
    if (files[fd] == 0 && fstat(fd, &status) == 0)
        files[fd] = status.st_ino;
    *length_of(files[fd]) = offset + bytes;
    return bytes;
}

/* The server reads a record's header into a part of its own. */
ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    (void)fd;
    (void)offset;
    (void)flags;
    for (int i = 0; i < count; i++) {
        if (i == 0 && parts[i].iov_len == HEADER_BYTES)
            memcpy(parts[i].iov_base, header, HEADER_BYTES);
        else
            memset(parts[i].iov_base, 'x', parts[i].iov_len);
    }
    return total(parts, count);
}

int statx(int fd, const char *restrict name, int flags, unsigned mask,
          struct statx *restrict status)
{
    static int (*real)(int, const char *, int, unsigned, struct statx *);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "statx");
    int result = real(fd, name, flags, mask, status);
    if (result == 0)
        status->stx_size = (uint64_t)*length_of(status->stx_ino);
    return result;
}

int close(int fd)
{
    static int (*real)(int);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "close");
    if (fd >= 0 && fd < FILES_MAX && files[fd] != 0) {
        *length_of(files[fd]) = 0;
        files[fd] = 0;
    }
    return real(fd);
}
