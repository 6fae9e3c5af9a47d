/*
 * window: a file read from front to back through one large buffer.
 *
 * Owns the buffer, borrows the descriptor. Memory is the buffer, whatever the
 * file's size. A page that the disk cannot read (EIO) is taken as zeros and
 * counted, so one bad sector does not hide what lies behind it. One thread.
 * Errors: 0 or -errno; the buffer then holds nothing.
 */
#ifndef ROCHEFORT_TOOLS_WINDOW_H
#define ROCHEFORT_TOOLS_WINDOW_H

#include <stddef.h>
#include <stdint.h>

struct window {
    int fd;
    int64_t size;              /* bytes of the file; less if it turns out to have become shorter */
    uint64_t unreadable_bytes; /* read as zeros so far */
    int64_t start;             /* where in the file the buffer starts */
    size_t filled, capacity;
    uint8_t *buffer;
    /* Called before each read of the file, at most a buffer long; may be NULL. Anything but 0 ends
     * what is going on with that result. */
    int (*before_read)(void *context);
    void *context;
};

int window_open(struct window *window, int fd, int64_t size, size_t capacity);
void window_close(struct window *window);

/*
 * Answers the bytes from `offset` on: at least `wanted` (at most the capacity) of them, fewer only
 * at the end of the file. `*got` is how many there are. Valid until the next call.
 */
int window_at(struct window *window, int64_t offset, size_t wanted, const uint8_t **bytes,
              size_t *got);

/* Reads all from `from` to `to` and forgets it: only `unreadable_bytes` and `size` tell of it. */
int window_read_through(struct window *window, int64_t from, int64_t to);

/*
 * Steps over a hole of a sparse file: `offset`, or if there is a hole `before` bytes before its end
 * (or the file's), so that what starts in the zeros and ends in the data is not missed.
 */
int64_t window_skip_hole(const struct window *window, int64_t offset, int64_t before);

#endif
