#include "tools/window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_BYTES 4096

int window_open(struct window *window, int fd, int64_t size, size_t capacity)
{
    *window = (struct window){.fd = fd, .size = size, .capacity = capacity};
    window->buffer = malloc(capacity);
    return window->buffer == NULL ? -ENOMEM : 0;
}

void window_close(struct window *window)
{
    free(window->buffer);
    window->buffer = NULL;
}

static ssize_t read_at(int fd, uint8_t *into, size_t bytes, int64_t offset)
{
    ssize_t got;
    do
        got = pread(fd, into, bytes, offset);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* As read_at. If that fails with EIO: up to the end of the page, and if need be zeros. */
static ssize_t read_what_can_be(struct window *window, uint8_t *into, size_t bytes, int64_t offset)
{
    ssize_t got = read_at(window->fd, into, bytes, offset);
    if (got != -EIO)
        return got;
    size_t to_page_end = PAGE_BYTES - (size_t)(offset % PAGE_BYTES);
    if (bytes > to_page_end)
        bytes = to_page_end;
    got = read_at(window->fd, into, bytes, offset);
    if (got != -EIO)
        return got;
    memset(into, 0, bytes);
    window->unreadable_bytes += bytes;
    return (ssize_t)bytes;
}

/* Fills the buffer up, at least to `wanted` bytes if the file has them. */
static int fill(struct window *window, size_t wanted)
{
    while (window->filled < wanted) {
        int64_t at = window->start + (int64_t)window->filled;
        size_t room = window->capacity - window->filled;
        if (at >= window->size)
            return 0;
        int error = window->before_read != NULL ? window->before_read(window->context) : 0;
        if (error != 0) {
            window->filled = 0;
            return error;
        }
        if ((int64_t)room > window->size - at)
            room = (size_t)(window->size - at);
        ssize_t got = read_what_can_be(window, window->buffer + window->filled, room, at);
        if (got < 0) {
            window->filled = 0;
            return (int)got;
        }
        if (got == 0)
            window->size = at; /* somebody cut the file */
        window->filled += (size_t)got;
    }
    return 0;
}

int window_at(struct window *window, int64_t offset, size_t wanted, const uint8_t **bytes,
              size_t *got)
{
    int64_t end = window->start + (int64_t)window->filled;
    if (offset < window->start || offset > end) {
        window->start = offset;
        window->filled = 0;
        end = offset;
    }
    size_t have = (size_t)(end - offset);
    if (have < wanted) {
        memmove(window->buffer, window->buffer + (offset - window->start), have);
        window->start = offset;
        window->filled = have;
        int error = fill(window, wanted);
        if (error != 0)
            return error;
        have = window->filled;
    }
    *bytes = window->buffer + (offset - window->start);
    *got = have;
    return 0;
}

int window_read_through(struct window *window, int64_t from, int64_t to)
{
    while (from < to) {
        const uint8_t *bytes;
        size_t got;
        int error = window_at(window, from, 1, &bytes, &got);
        if (error != 0)
            return error;
        if (got == 0)
            return 0;
        from += (int64_t)got;
    }
    return 0;
}

int64_t window_skip_hole(const struct window *window, int64_t offset, int64_t before)
{
    off_t data = lseek(window->fd, offset, SEEK_DATA);
    if (data < 0 && errno == ENXIO) /* a file system that cannot tell says so otherwise */
        data = window->size;
    if (data > window->size)
        data = window->size;
    return data - before > offset ? data - before : offset;
}
