#include "store/parts.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>

/* Takes `bytes` bytes off the list that begins at `part`. Returns where it begins then. */
static size_t skip_parts(struct iovec *parts, size_t part, size_t count, size_t bytes)
{
    while (part < count && bytes >= parts[part].iov_len)
        bytes -= parts[part++].iov_len;
    if (part < count) {
        parts[part].iov_base = (char *)parts[part].iov_base + bytes;
        parts[part].iov_len -= bytes;
    }
    return part;
}

int parts_write(int fd, struct iovec *parts, size_t count, uint64_t bytes, int64_t offset,
                uint64_t *written)
{
    size_t part = 0;
    *written = 0;
    while (*written < bytes) {
        size_t some = count - part < IOV_MAX ? count - part : IOV_MAX;
        ssize_t now = pwritev(fd, &parts[part], (int)some, offset + (int64_t)*written);
        if (now < 0 && errno == EINTR)
            continue;
        if (now <= 0)
            return now < 0 ? -errno : -EIO;
        *written += (uint64_t)now;
        part = skip_parts(parts, part, count, (size_t)now);
    }
    return 0;
}

static atomic_bool refused; /* preadv2, by an old kernel or a filter of system calls */

static bool read_may_be_refused(ssize_t result)
{
    return result < 0 && (errno == EPERM || errno == ENOSYS);
}

/* With `now_only` only what is in memory, unless preadv2 is refused: then that is not known, and it
 * is waited for. */
static ssize_t read_some(int fd, const struct iovec *parts, int count, off_t offset, bool now_only)
{
    if (!atomic_load_explicit(&refused, memory_order_relaxed)) {
        ssize_t now = preadv2(fd, parts, count, offset, now_only ? RWF_NOWAIT : 0);
        if (!read_may_be_refused(now))
            return now;
    }
    ssize_t now = preadv(fd, parts, count, offset);
    if (now >= 0)
        atomic_store_explicit(&refused, true, memory_order_relaxed);
    return now;
}

ssize_t parts_read(int fd, struct iovec *parts, size_t count, size_t bytes, int64_t offset,
                   bool cached_only, bool *waits)
{
    size_t done = 0, part = 0;
    bool now_only = cached_only && !*waits;
    while (done < bytes) {
        ssize_t now =
            read_some(fd, &parts[part], (int)(count - part), offset + (int64_t)done, now_only);
        if (now < 0 && errno == EINTR)
            continue;
        if (now < 0 && errno == EOPNOTSUPP && now_only) {
            *waits = true;
            now_only = false;
            continue;
        }
        if (now < 0 && errno == EAGAIN && now_only)
            break;
        if (now < 0)
            return -errno;
        if (now == 0)
            break;
        done += (size_t)now;
        part = skip_parts(parts, part, count, (size_t)now);
    }
    return (ssize_t)done;
}
