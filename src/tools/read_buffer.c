#include "tools/read_buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file_io.h"

#define PAGE_BYTES 4096

int read_buffer_open(struct read_buffer *buffer, int fd, int64_t size, size_t capacity)
{
    *buffer = (struct read_buffer){.fd = fd, .size = size, .capacity = capacity};
    buffer->bytes = malloc(capacity);
    return buffer->bytes == NULL ? -ENOMEM : 0;
}

void read_buffer_close(struct read_buffer *buffer)
{
    free(buffer->bytes);
    buffer->bytes = NULL;
}

/*
 * One pread, not file_read_at: the kernel stops before a page that the disk cannot read and returns
 * what came before it. Reading on would fail, and each further attempt may keep a bad disk busy for
 * seconds.
 */
static ssize_t read_once(int fd, uint8_t *into, size_t bytes, int64_t offset)
{
    ssize_t got;
    do
        got = pread(fd, into, bytes, offset);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* As read_once. If that fails with EIO: up to the end of the page, and if need be zeros. */
static ssize_t read_or_zero(struct read_buffer *buffer, uint8_t *into, size_t bytes, int64_t offset)
{
    ssize_t got = read_once(buffer->fd, into, bytes, offset);
    if (got != -EIO)
        return got;
    size_t to_page_end = PAGE_BYTES - (size_t)(offset % PAGE_BYTES);
    if (bytes > to_page_end)
        bytes = to_page_end;
    got = read_once(buffer->fd, into, bytes, offset);
    if (got != -EIO)
        return got;
    memset(into, 0, bytes);
    buffer->unreadable_bytes += bytes;
    return (ssize_t)bytes;
}

/* Fills the buffer up, at least to `wanted` bytes if the file has them. */
static int fill_buffer(struct read_buffer *buffer, size_t wanted)
{
    while (buffer->filled < wanted) {
        int64_t at = buffer->start + (int64_t)buffer->filled;
        size_t room = buffer->capacity - buffer->filled;
        if (at >= buffer->size)
            return 0;
        int error = buffer->before_read != NULL ? buffer->before_read(buffer->context) : 0;
        if (error != 0) {
            buffer->filled = 0;
            return error;
        }
        if ((int64_t)room > buffer->size - at)
            room = (size_t)(buffer->size - at);
        ssize_t got = read_or_zero(buffer, buffer->bytes + buffer->filled, room, at);
        if (got < 0) {
            buffer->filled = 0;
            return (int)got;
        }
        if (got == 0)
            buffer->size = at; /* somebody cut the file */
        buffer->filled += (size_t)got;
    }
    return 0;
}

int read_buffer_at(struct read_buffer *buffer, int64_t offset, size_t wanted, const uint8_t **bytes,
                   size_t *got)
{
    int64_t end = buffer->start + (int64_t)buffer->filled;
    if (offset < buffer->start || offset > end) {
        buffer->start = offset;
        buffer->filled = 0;
        end = offset;
    }
    size_t have = (size_t)(end - offset);
    if (have < wanted) {
        memmove(buffer->bytes, buffer->bytes + (offset - buffer->start), have);
        buffer->start = offset;
        buffer->filled = have;
        int error = fill_buffer(buffer, wanted);
        if (error != 0)
            return error;
        have = buffer->filled;
    }
    *bytes = buffer->bytes + (offset - buffer->start);
    *got = have;
    return 0;
}

ssize_t read_buffer_peek(const struct read_buffer *buffer, int64_t offset, void *into, size_t count)
{
    if (offset >= buffer->size)
        return 0;
    if ((int64_t)count > buffer->size - offset)
        count = (size_t)(buffer->size - offset);
    int64_t end = buffer->start + (int64_t)buffer->filled;
    if (offset >= buffer->start && offset + (int64_t)count <= end) {
        memcpy(into, buffer->bytes + (offset - buffer->start), count);
        return (ssize_t)count;
    }
    ssize_t got = file_read_at(buffer->fd, into, count, offset);
    return got == -EIO ? 0 : got;
}

void read_buffer_forget(struct read_buffer *buffer, uint64_t unreadable_bytes)
{
    buffer->filled = 0;
    buffer->unreadable_bytes = unreadable_bytes;
}

int read_buffer_through(struct read_buffer *buffer, int64_t from, int64_t to)
{
    while (from < to) {
        const uint8_t *bytes;
        size_t got;
        int error = read_buffer_at(buffer, from, 1, &bytes, &got);
        if (error != 0)
            return error;
        if (got == 0)
            return 0;
        from += (int64_t)got;
    }
    return 0;
}

int64_t read_buffer_skip_hole(const struct read_buffer *buffer, int64_t offset, int64_t before)
{
    off_t data = lseek(buffer->fd, offset, SEEK_DATA);
    if (data < 0 && errno == ENXIO) /* no data up to the end; unsupported is another error */
        data = buffer->size;
    if (data > buffer->size)
        data = buffer->size;
    return data - before > offset ? data - before : offset;
}
