#include "tools/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "store/gap.h"
#include "store/search.h"
#include "tools/read_buffer.h"

#define BUFFER_BYTES (1024 * 1024)
/* How often the file is asked whether an append under way at its end has gone on. */
#define LOOKS_AGAIN 16
/* Random bytes have a right checksum once in 4 billion positions, and a time this close to another
 * record's once in 8 times more. */
#define LATER_NS_MAX (UINT64_C(1) << 61) /* 73 years */
#define NO_OVERLAP (-1)

struct state {
    const struct scan *scan;
    struct search search;
    struct read_buffer buffer;
    int64_t delivered;             /* all parts before this offset are delivered */
    uint64_t unreadable_delivered; /* bytes */
    int64_t overlap; /* one that begins before this offset and ends behind it is overlapped */
    unsigned looks;
};

/* A header with a right checksum, and where the record or gap ends. */
struct candidate {
    int64_t offset, end;
    struct record_header header;
};

static int before_read(void *context)
{
    struct state *state = context;
    if (state->scan->progress == NULL)
        return 0;
    return state->scan->progress(state->scan->context, state->buffer.start, state->buffer.size);
}

/* Of the file, behind a header at `offset`. */
static uint64_t bytes_after(const struct state *state, int64_t offset)
{
    return (uint64_t)(state->buffer.size - offset - RECORD_HEADER_BYTES);
}

/* The first header from `from` on, but before `to`. `candidate->offset` is `to` if there is none.
 */
static int find_header(struct state *state, int64_t from, int64_t to, struct candidate *candidate)
{
    bool found = false;
    while (from < to && !found) {
        const uint8_t *bytes;
        size_t got;
        int error = read_buffer_at(&state->buffer, from, RECORD_HEADER_BYTES, &bytes, &got);
        if (error != 0)
            return error;
        if (got < RECORD_HEADER_BYTES)
            break;
        size_t skip = search_next(&state->search, bytes, got, &candidate->header, &found);
        from += (int64_t)skip;
        if (!found && bytes[skip] == 0)
            from = read_buffer_skip_hole(&state->buffer, from, RECORD_HEADER_BYTES - 1);
    }
    candidate->offset = candidate->end = to;
    if (!found || from >= to)
        return 0;
    candidate->offset = from;
    candidate->end =
        from + (int64_t)gap_or_record_bytes(&candidate->header, bytes_after(state, from));
    return 0;
}

static int is_header(struct state *state, int64_t offset, bool *yes)
{
    uint8_t bytes[RECORD_HEADER_BYTES];
    struct record_header header;
    ssize_t got = read_buffer_peek(&state->buffer, offset, bytes, sizeof(bytes));
    *yes = got == sizeof(bytes) && search_header(&state->search, bytes, &header);
    return got < 0 ? (int)got : 0;
}

/* How long the gap without a header at `offset` is; 0: there is none. */
static int measure_short_gap(struct state *state, int64_t offset, int64_t *length)
{
    uint8_t bytes[RECORD_HEADER_BYTES - 1];
    *length = 0;
    ssize_t got = read_buffer_peek(&state->buffer, offset, bytes, sizeof(bytes));
    for (unsigned count = 1; (ssize_t)count <= got && gap_is_short(bytes, count); count++) {
        bool header;
        int error = is_header(state, offset + count, &header);
        if (error != 0)
            return error;
        if (header) {
            *length = count;
            return 0;
        }
    }
    return got < 0 ? (int)got : 0;
}

/* Whether a header, a gap or the end of the file is at `offset`. */
static int is_boundary(struct state *state, int64_t offset, bool *yes)
{
    int64_t gap = 0;
    *yes = offset == state->buffer.size;
    if (offset >= state->buffer.size)
        return 0;
    int error = is_header(state, offset, yes);
    if (error == 0 && !*yes)
        error = measure_short_gap(state, offset, &gap);
    *yes = *yes || gap > 0;
    return error;
}

/* Where the first record that overlaps this one begins, or NO_OVERLAP. */
static int find_overlap(struct state *state, const struct candidate *outer, bool later_only,
                        int64_t *overlap)
{
    int64_t end = outer->end < state->buffer.size ? outer->end : state->buffer.size;
    struct candidate inner;
    *overlap = NO_OVERLAP;
    for (int64_t from = outer->offset + RECORD_HEADER_BYTES; from < end; from = inner.offset + 1) {
        int error = find_header(state, from, end, &inner);
        if (error != 0)
            return error;
        if (inner.offset >= end)
            return 0;
        /* The difference of an older one is a number past any limit. */
        if (later_only && inner.header.time_ns - outer->header.time_ns > LATER_NS_MAX)
            continue;
        if (inner.end > state->buffer.size)
            continue;
        bool overlaps = inner.end > outer->end;
        if (!overlaps)
            error = is_boundary(state, inner.end, &overlaps);
        if (error != 0)
            return error;
        if (overlaps) {
            *overlap = inner.offset;
            return 0;
        }
    }
    return 0;
}

/* Delivers the next part. `unreadable`: all bytes that could not be read up to its end. */
static int deliver_part(struct state *state, struct scan_part *part, uint64_t unreadable)
{
    part->offset = state->delivered;
    part->unreadable_bytes = unreadable - state->unreadable_delivered;
    state->delivered += part->bytes;
    state->unreadable_delivered = unreadable;
    return state->scan->part(state->scan->context, part);
}

static int deliver_damaged(struct state *state, int64_t to, uint64_t unreadable)
{
    struct scan_part part = {.kind = SCAN_DAMAGED, .bytes = to - state->delivered};
    if (part.bytes <= 0)
        return 0;
    int error = is_header(state, state->delivered, &part.overclaims);
    return error != 0 ? error : deliver_part(state, &part, unreadable);
}

static int deliver_record(struct state *state, const struct candidate *candidate, bool confirmed)
{
    struct scan_part part = {.kind = SCAN_RECORD,
                             .bytes = candidate->end - candidate->offset,
                             .header = candidate->header,
                             .confirmed = confirmed};
    if (record_header_is_gap(&candidate->header, bytes_after(state, candidate->offset)))
        part.kind = SCAN_GAP;
    return deliver_part(state, &part, state->buffer.unreadable_bytes);
}

static int deliver_tail(struct state *state)
{
    struct scan_part part = {.kind = SCAN_TAIL, .bytes = state->buffer.size - state->delivered};
    return part.bytes > 0 ? deliver_part(state, &part, state->buffer.unreadable_bytes) : 0;
}

/* Delivers the gap without a header that ends where this header is, if there is one. */
static int deliver_short_gap(struct state *state, const struct candidate *candidate)
{
    struct scan_part part = {.kind = SCAN_GAP};
    if (candidate->offset - state->delivered >= RECORD_HEADER_BYTES)
        return 0;
    int error = measure_short_gap(state, state->delivered, &part.bytes);
    if (error != 0 || part.bytes == 0 || state->delivered + part.bytes != candidate->offset)
        return error;
    return deliver_part(state, &part, state->buffer.unreadable_bytes);
}

/* The end of the file is in the middle of something: has more been written by now? */
static int look_again(struct state *state, bool *grown)
{
    struct stat status;
    *grown = false;
    if (fstat(state->scan->fd, &status) != 0)
        return -errno;
    if (status.st_size > state->buffer.size && state->looks++ < LOOKS_AGAIN) {
        state->buffer.size = status.st_size;
        *grown = true;
    }
    return 0;
}

/*
 * The record at `candidate` is overlapped by one at `overlap`: where to search on. The bytes
 * between are searched once more, in which the same is not repeated: so time stays linear.
 */
static int64_t search_behind(struct state *state, const struct candidate *candidate,
                             int64_t overlap, uint64_t unreadable)
{
    if (candidate->offset < state->overlap)
        return overlap;
    state->overlap = overlap;
    read_buffer_forget(&state->buffer, unreadable);
    return candidate->offset + 1;
}

/*
 * Decides about a header, and delivers the record, with the damage before it. `*from` is where to
 * search on; right here if the file was cut meanwhile.
 */
static int check_candidate(struct state *state, const struct candidate *candidate, int64_t *from)
{
    bool reached = candidate->offset == state->delivered;
    uint64_t unreadable_before = state->buffer.unreadable_bytes;
    int64_t overlap = NO_OVERLAP;
    bool followed;
    int error = is_boundary(state, candidate->end, &followed);
    if (error == 0 && !followed)
        error = find_overlap(state, candidate, reached, &overlap);
    else if (error == 0 && state->scan->read_values)
        error = read_buffer_through(&state->buffer, candidate->offset + RECORD_HEADER_BYTES,
                                    candidate->end);
    *from = candidate->offset;
    if (error == 0 && overlap != NO_OVERLAP) {
        *from = search_behind(state, candidate, overlap, unreadable_before);
        return 0;
    }
    if (error != 0 || candidate->end > state->buffer.size)
        return error;
    *from = candidate->end;
    error = deliver_damaged(state, candidate->offset, unreadable_before);
    return error != 0 ? error : deliver_record(state, candidate, reached || followed);
}

/* Delivers what is behind the last record, in which no other one starts. */
static int deliver_rest(struct state *state)
{
    if (state->buffer.size - state->delivered < RECORD_HEADER_BYTES)
        return deliver_tail(state);
    return deliver_damaged(state, state->buffer.size, state->buffer.unreadable_bytes);
}

static int follow_records(struct state *state)
{
    int64_t from = 0;
    while (state->delivered < state->buffer.size) {
        struct candidate candidate;
        int64_t size = state->buffer.size;
        int error = find_header(state, from, size, &candidate);
        if (error == 0)
            error = deliver_short_gap(state, &candidate);
        if (error != 0)
            return error;
        bool reached = candidate.offset == state->delivered;
        bool cut_short = candidate.end > size;
        if (size - state->delivered < RECORD_HEADER_BYTES || (reached && cut_short)) {
            bool grown;
            error = look_again(state, &grown);
            if (error != 0)
                return error;
            if (grown)
                continue;
        }
        if (candidate.offset == size)
            return deliver_rest(state);
        from = candidate.offset + 1;
        bool overlapped = candidate.offset < state->overlap && candidate.end > state->overlap;
        if (!reached && (cut_short || overlapped))
            continue;
        error = check_candidate(state, &candidate, &from);
        if (error != 0)
            return error;
        if (cut_short && from == candidate.offset)
            return deliver_tail(state);
    }
    return 0;
}

int scan_run(const struct scan *scan)
{
    struct stat status;
    if (fstat(scan->fd, &status) != 0)
        return -errno;
    struct state *state = calloc(1, sizeof(*state));
    if (state == NULL)
        return -ENOMEM;
    state->scan = scan;
    search_prepare(&state->search);
    int error = read_buffer_open(&state->buffer, scan->fd, status.st_size, BUFFER_BYTES);
    state->buffer.before_read = before_read;
    state->buffer.context = state;
    if (error == 0)
        error = follow_records(state);
    read_buffer_close(&state->buffer);
    free(state);
    return error;
}
