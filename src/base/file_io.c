#include "base/file_io.h"

#include <errno.h>
#include <unistd.h>

ssize_t file_read_at(int fd, void *data, size_t bytes, int64_t offset)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t now = pread(fd, (char *)data + done, bytes - done, offset + (int64_t)done);
        if (now < 0 && errno == EINTR)
            continue;
        if (now < 0)
            return -errno;
        if (now == 0)
            break;
        done += (size_t)now;
    }
    return (ssize_t)done;
}

int file_read_exactly(int fd, void *data, size_t bytes, int64_t offset)
{
    ssize_t got = file_read_at(fd, data, bytes, offset);
    if (got < 0)
        return (int)got;
    return (size_t)got < bytes ? -ENODATA : 0;
}

int file_write_at(int fd, const void *data, size_t bytes, int64_t offset)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t now = pwrite(fd, (const char *)data + done, bytes - done, offset + (int64_t)done);
        if (now < 0 && errno == EINTR)
            continue;
        if (now <= 0)
            return now < 0 ? -errno : -EIO;
        done += (size_t)now;
    }
    return 0;
}
