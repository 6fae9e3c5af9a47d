/*
 * read_buffer: a file read from front to back through one large buffer.
 *
 * Owns the buffer, borrows the descriptor. Memory is the buffer, whatever the
 * file's size. A page that the disk cannot read (EIO) is taken as zeros and
 * counted, so one bad sector does not hide what lies behind it. One thread.
 * Errors: 0 or -errno; the buffer then holds nothing.
 */
#ifndef ROCHEFORT_TOOLS_READ_BUFFER_H
#define ROCHEFORT_TOOLS_READ_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct read_buffer {
    int fd;
    int64_t size;              /* bytes of the file; less if it turns out to have become shorter */
    uint64_t unreadable_bytes; /* read as zeros so far */
    int64_t start;             /* where in the file the buffer starts */
    size_t filled, capacity;
    uint8_t *bytes;
    /* Called before the buffer is filled, so before at most `capacity` bytes are read; may be NULL.
     * Anything but 0 is returned to the caller in place of the bytes. */
    int (*before_read)(void *context);
    void *context;
};

int read_buffer_open(struct read_buffer *buffer, int fd, int64_t size, size_t capacity);
void read_buffer_close(struct read_buffer *buffer);

/*
 * Answers the bytes from `offset` on: at least `wanted` (at most the capacity) of them, fewer only
 * at the end of the file. `*got` is how many there are. Valid until the next call.
 */
int read_buffer_at(struct read_buffer *buffer, int64_t offset, size_t wanted, const uint8_t **bytes,
                   size_t *got);

/*
 * Copies `count` bytes from `offset` on, which may be far ahead: the buffer stays where it is.
 * Returns how many: fewer at the end of the file, 0 if the disk cannot read them. Or -errno.
 */
ssize_t read_buffer_peek(const struct read_buffer *buffer, int64_t offset, void *into,
                         size_t count);

/* Drops the buffer's content, to read it again, and counts unreadable bytes from here on. */
void read_buffer_forget(struct read_buffer *buffer, uint64_t unreadable_bytes);

/* Reads all from `from` to `to`, for `unreadable_bytes` and `size` alone. */
int read_buffer_through(struct read_buffer *buffer, int64_t from, int64_t to);

/*
 * Skips a hole of a sparse file: `offset`, or if there is a hole the position `before` bytes before
 * its end (or the file's), so that what starts in the zeros and ends in the data is not missed.
 */
int64_t read_buffer_skip_hole(const struct read_buffer *buffer, int64_t offset, int64_t before);

#endif
