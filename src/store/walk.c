#include "store/walk.h"

#include <string.h>

#include "base/file_io.h"
#include "store/error.h"
#include "store/gap.h"

#define AFTER_LONG_BYTES 4096 /* read first, and behind a value that went past the buffer */

void walk_begin(struct walk *walk, int fd, int64_t end)
{
    walk->fd = fd;
    walk->end = end;
    walk->reads = 0;
    walk->begin = 0;
    walk->bytes = 0;
}

/* How many of the `wanted` bytes at `offset` are before the end. */
static size_t bytes_before_end(const struct walk *walk, int64_t offset, size_t wanted)
{
    int64_t left = walk->end - offset;
    return left < (int64_t)wanted ? (size_t)left : wanted;
}

static bool has_bytes(const struct walk *walk, int64_t offset, size_t bytes)
{
    return offset >= walk->begin && offset + (int64_t)bytes <= walk->begin + (int64_t)walk->bytes;
}

bool walk_must_read(const struct walk *walk, int64_t offset)
{
    return !has_bytes(walk, offset, bytes_before_end(walk, offset, RECORD_HEADER_BYTES));
}

int walk_bytes(struct walk *walk, int64_t offset, size_t wanted, const uint8_t **bytes, size_t *got)
{
    wanted = bytes_before_end(walk, offset, wanted);
    if (!has_bytes(walk, offset, wanted)) {
        bool after_long = offset >= walk->begin + (int64_t)walk->bytes;
        size_t most = after_long ? AFTER_LONG_BYTES : sizeof(walk->data);
        most = bytes_before_end(walk, offset, most < wanted ? wanted : most);
        walk->bytes = 0;
        walk->reads++;
        ssize_t read = file_read_at(walk->fd, walk->data, most, offset);
        if (read < 0)
            return (int)read;
        if (read < (ssize_t)wanted)
            return STORE_CHANGED;
        walk->begin = offset;
        walk->bytes = (size_t)read;
    }
    *bytes = walk->data + (offset - walk->begin);
    *got = walk->bytes - (size_t)(offset - walk->begin);
    return 0;
}

/* How long a gap without a header is; 0: there is none. */
static unsigned short_gap_bytes(const uint8_t *bytes, size_t got)
{
    for (unsigned count = 1; count < RECORD_HEADER_BYTES && count + RECORD_HEADER_BYTES <= got;
         count++) {
        if (!gap_is_short(bytes, count))
            return 0;
        if (record_header_sum_is_right(bytes + count))
            return count;
    }
    return 0;
}

static void classify(const uint8_t *bytes, size_t got, uint64_t left, struct walk_part *part)
{
    if (!record_header_sum_is_right(bytes)) {
        part->bytes = short_gap_bytes(bytes, got);
        part->kind = part->bytes > 0 ? WALK_GAP : WALK_DAMAGED;
        return;
    }
    part->header = record_header_fields(bytes);
    part->bytes = (int64_t)gap_or_record_bytes(&part->header, left);
    part->kind = WALK_RECORD;
    if (record_header_is_gap(&part->header, left))
        part->kind = WALK_GAP;
    else if (part->header.value_bytes > left)
        part->kind = WALK_CUT_SHORT;
}

int walk_look(struct walk *walk, int64_t offset, struct walk_part *part)
{
    const uint8_t *bytes;
    size_t got;
    *part = (struct walk_part){.kind = WALK_END};
    if (offset >= walk->end)
        return 0;
    part->kind = WALK_TOO_SHORT;
    if (walk->end - offset < RECORD_HEADER_BYTES)
        return 0;
    int error = walk_bytes(walk, offset, RECORD_HEADER_BYTES, &bytes, &got);
    if (error == 0 && bytes[0] == GAP_SHORT_BYTE) /* it may be told only by the header behind it */
        error = walk_bytes(walk, offset, 2 * RECORD_HEADER_BYTES, &bytes, &got);
    if (error == 0)
        classify(bytes, got, (uint64_t)(walk->end - offset - RECORD_HEADER_BYTES), part);
    return error;
}
