#include "store/tail.h"

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/file_io.h"
#include "store/error.h"

#define MARK_NAME "user.rochefort.record"
#define MARK_OFFSET_BYTES 8
#define MARK_BYTES (MARK_OFFSET_BYTES + RECORD_HEADER_BYTES)

/* Headers close to each other are read together. */
#define WINDOW_BYTES (64 * 1024)
#define WINDOW_AFTER_LONG_BYTES 4096
/* So many reads at most. From a mark on: what was appended since, and the batch that was cut. */
#define READS_FROM_MARK 16384
#define READS_FROM_START 256

struct window {
    int64_t begin;
    size_t bytes;
    uint8_t data[WINDOW_BYTES];
};

/* Moves the window so that it has the header at `offset`, of which the file has all. */
static int move_window(int fd, struct window *window, int64_t offset)
{
    bool after_long = offset >= window->begin + (int64_t)window->bytes;
    ssize_t got =
        file_read_at(fd, window->data, after_long ? WINDOW_AFTER_LONG_BYTES : WINDOW_BYTES, offset);
    if (got < 0)
        return (int)got;
    window->begin = offset;
    window->bytes = (size_t)got;
    return got < RECORD_HEADER_BYTES ? STORE_CHANGED : 0;
}

/*
 * Fewer bytes than a header are left, the beginning of one. Whatever they are: they are read to see
 * that the file still has them, lest cutting them off makes it longer.
 */
static int judge_short_end(int fd, int64_t bytes, struct tail *tail)
{
    uint8_t end[RECORD_HEADER_BYTES];
    size_t count = (size_t)(bytes - tail->whole);
    ssize_t got = file_read_at(fd, end, count, tail->whole);
    if (got != (ssize_t)count)
        return got < 0 ? (int)got : STORE_CHANGED;
    tail->state = TAIL_TORN;
    return 0;
}

/* Follows the headers from tail->whole, where a record starts, to the end. */
static int follow(int fd, int64_t bytes, unsigned reads_left, struct tail *tail)
{
    struct window window;
    window.begin = tail->whole;
    window.bytes = 0;
    while (tail->whole < bytes) {
        int64_t left = bytes - tail->whole - RECORD_HEADER_BYTES;
        struct record_header header;
        if (left < 0)
            return judge_short_end(fd, bytes, tail);
        if (tail->whole + RECORD_HEADER_BYTES > window.begin + (int64_t)window.bytes) {
            tail->state = TAIL_FAR;
            if (reads_left-- == 0)
                return 0;
            int error = move_window(fd, &window, tail->whole);
            if (error != 0)
                return error;
        }
        tail->state = TAIL_STRANGE;
        if (record_header_decode(window.data + (tail->whole - window.begin), &header) != 0)
            return 0;
        tail->state = TAIL_TORN;
        if (header.value_bytes > left)
            return 0;
        tail->whole += RECORD_HEADER_BYTES + (int64_t)header.value_bytes;
    }
    tail->state = TAIL_WHOLE;
    return 0;
}

/* The offset of the marked record, or -1. */
static int64_t find_mark(int fd, int64_t bytes)
{
    uint8_t mark[MARK_BYTES], header[RECORD_HEADER_BYTES];
    struct record_header decoded;
    uint64_t offset;
    if (fgetxattr(fd, MARK_NAME, mark, sizeof(mark)) != MARK_BYTES)
        return -1;
    memcpy(&offset, mark, sizeof(offset));
    offset = le64toh(offset);
    if (bytes < RECORD_HEADER_BYTES || offset > (uint64_t)(bytes - RECORD_HEADER_BYTES))
        return -1;
    if (file_read_at(fd, header, sizeof(header), (int64_t)offset) != RECORD_HEADER_BYTES ||
        memcmp(header, mark + MARK_OFFSET_BYTES, sizeof(header)) != 0 ||
        record_header_decode(header, &decoded) != 0)
        return -1;
    return (int64_t)offset;
}

int tail_find(int fd, int64_t bytes, struct tail *tail)
{
    *tail = (struct tail){TAIL_WHOLE, 0, -1};
    if (bytes == 0)
        return 0;
    tail->marked = find_mark(fd, bytes);
    if (tail->marked < 0)
        return follow(fd, bytes, READS_FROM_START, tail);
    tail->whole = tail->marked;
    return follow(fd, bytes, READS_FROM_MARK, tail);
}

void tail_mark(int fd, int64_t offset, const uint8_t header[RECORD_HEADER_BYTES])
{
    uint8_t mark[MARK_BYTES];
    uint64_t little = htole64((uint64_t)offset);
    memcpy(mark, &little, sizeof(little));
    memcpy(mark + MARK_OFFSET_BYTES, header, RECORD_HEADER_BYTES);
    (void)fsetxattr(fd, MARK_NAME, mark, sizeof(mark), 0);
}
