#include "store/tail.h"

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/file_io.h"
#include "store/error.h"
#include "store/walk.h"

#define CHECKPOINT_ATTRIBUTE "user.rochefort.record"
#define CHECKPOINT_OFFSET_BYTES 8
#define CHECKPOINT_BYTES (CHECKPOINT_OFFSET_BYTES + RECORD_HEADER_BYTES)

/* So many reads at most. From a checkpoint on: what was appended since, and the batch that was cut.
 */
#define READS_FROM_CHECKPOINT 16384
#define READS_FROM_START 256

/*
 * Fewer bytes than a header are left, the beginning of one. They are read only to see that the file
 * still has them: if it does not, truncating it would make it longer.
 */
static int check_short_end(int fd, int64_t bytes, struct tail *tail)
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
static int follow_headers(int fd, int64_t bytes, unsigned reads_max, struct tail *tail)
{
    struct walk walk;
    walk_begin(&walk, fd, bytes);
    while (tail->whole < bytes) {
        struct walk_part part;
        tail->state = TAIL_NOT_REACHED;
        if (walk.reads >= reads_max && walk_must_read(&walk, tail->whole))
            return 0;
        int error = walk_look(&walk, tail->whole, &part);
        if (error != 0)
            return error;
        if (part.kind == WALK_TOO_SHORT)
            return check_short_end(fd, bytes, tail);
        tail->state = part.kind == WALK_CUT_SHORT ? TAIL_TORN : TAIL_DAMAGED;
        if (part.kind != WALK_RECORD)
            return 0;
        tail->whole += part.bytes;
    }
    tail->state = TAIL_WHOLE;
    return 0;
}

/* The offset of the checkpoint's record, or -1 if it is not valid. */
static int64_t find_checkpoint(int fd, int64_t bytes)
{
    uint8_t checkpoint[CHECKPOINT_BYTES], header[RECORD_HEADER_BYTES];
    struct record_header decoded;
    uint64_t offset;
    if (fgetxattr(fd, CHECKPOINT_ATTRIBUTE, checkpoint, sizeof(checkpoint)) != CHECKPOINT_BYTES)
        return -1;
    memcpy(&offset, checkpoint, sizeof(offset));
    offset = le64toh(offset);
    if (bytes < RECORD_HEADER_BYTES || offset > (uint64_t)(bytes - RECORD_HEADER_BYTES))
        return -1;
    uint64_t left = (uint64_t)(bytes - RECORD_HEADER_BYTES) - offset;
    if (file_read_at(fd, header, sizeof(header), (int64_t)offset) != RECORD_HEADER_BYTES ||
        memcmp(header, checkpoint + CHECKPOINT_OFFSET_BYTES, sizeof(header)) != 0 ||
        record_header_decode(header, left, &decoded) != 0)
        return -1;
    return (int64_t)offset;
}

int tail_find_on(int fd, int64_t bytes, struct tail *tail)
{
    tail->state = TAIL_WHOLE;
    return follow_headers(fd, bytes, READS_FROM_CHECKPOINT, tail);
}

int tail_find(int fd, int64_t bytes, struct tail *tail)
{
    *tail = (struct tail){TAIL_WHOLE, 0, -1};
    if (bytes == 0)
        return 0;
    tail->checkpoint = find_checkpoint(fd, bytes);
    if (tail->checkpoint < 0)
        return follow_headers(fd, bytes, READS_FROM_START, tail);
    tail->whole = tail->checkpoint;
    return follow_headers(fd, bytes, READS_FROM_CHECKPOINT, tail);
}

void tail_write_checkpoint(int fd, int64_t offset, const uint8_t header[RECORD_HEADER_BYTES])
{
    uint8_t checkpoint[CHECKPOINT_BYTES];
    uint64_t little = htole64((uint64_t)offset);
    memcpy(checkpoint, &little, sizeof(little));
    memcpy(checkpoint + CHECKPOINT_OFFSET_BYTES, header, RECORD_HEADER_BYTES);
    (void)fsetxattr(fd, CHECKPOINT_ATTRIBUTE, checkpoint, sizeof(checkpoint), 0);
}
