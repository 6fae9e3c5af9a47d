#include "tools/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tools/gap.h"
#include "tools/search.h"
#include "tools/rival.h"
#include "tools/window.h"

#define AHEAD_BYTES (1024 * 1024)
#define INSIDE_BYTES (256 * 1024)
/* How often an append under way at the end of the file is waited for by looking again. */
#define LOOKS_AGAIN 16

struct state {
    const struct scan *scan;
    struct search search;
    struct window ahead;  /* goes through the file */
    struct window inside; /* goes back into records that are in doubt */
    int64_t effort_bytes;
    unsigned looks;
};

static int tell(struct state *state, const struct scan_part *part)
{
    return state->scan->part(state->scan->context, part);
}

/* Before each read, whatever it is for: a part may be as long as the file. */
static int tell_progress(void *context)
{
    struct state *state = context;
    if (state->scan->progress == NULL)
        return 0;
    return state->scan->progress(state->scan->context, state->ahead.start, state->ahead.size);
}

static int header_at(struct state *state, int64_t offset, struct record_header *header, bool *yes)
{
    const uint8_t *bytes;
    size_t got;
    int error = window_at(&state->ahead, offset, RECORD_HEADER_BYTES, &bytes, &got);
    *yes = error == 0 && got >= RECORD_HEADER_BYTES && search_header(&state->search, bytes, header);
    return error;
}

/* Bytes of the record or gap at `offset`. */
static int64_t bytes_of(const struct state *state, int64_t offset,
                        const struct record_header *header)
{
    return (int64_t)gap_or_record_bytes(
        header, (uint64_t)(state->ahead.size - offset - RECORD_HEADER_BYTES));
}

static int has_rival(struct state *state, int64_t offset, int64_t end,
                     const struct record_header *header, bool vouched, bool *rival)
{
    *rival = false;
    int64_t last = end < state->ahead.size ? end : state->ahead.size;
    if (state->effort_bytes / SCAN_EFFORT > state->ahead.size)
        return 0;
    state->effort_bytes += last - offset;
    state->inside.size = state->ahead.size;
    int error = tell_progress(state); /* of many short ones the window reads nothing */
    if (error != 0)
        return error;
    return rival_find(&state->search, &state->inside, offset, end, header, vouched, rival);
}

/* The end of the file is in the middle of something: has more been written by now? */
static int look_again(struct state *state, bool *grown)
{
    struct stat status;
    *grown = false;
    if (fstat(state->scan->fd, &status) != 0)
        return -errno;
    if (status.st_size > state->ahead.size && state->looks++ < LOOKS_AGAIN) {
        state->ahead.size = status.st_size;
        *grown = true;
    }
    return 0;
}

/* The first record from `from` on, or the end of the file. `*follows`: something comes after it. */
static int find_record(struct state *state, int64_t from, int64_t *where, bool *follows)
{
    int64_t at = from;
    for (;; at++) {
        const uint8_t *bytes;
        size_t got;
        int error = window_at(&state->ahead, at, RECORD_HEADER_BYTES, &bytes, &got);
        if (error != 0)
            return error;
        if (got < RECORD_HEADER_BYTES)
            break;
        struct record_header header;
        bool hit;
        size_t skip = search_next(&state->search, bytes, got, &header, &hit);
        at += (int64_t)skip;
        if (!hit) {
            if (bytes[skip] == 0)
                at = window_skip_hole(&state->ahead, at, RECORD_HEADER_BYTES - 1);
            at--;
            continue;
        }
        int64_t end = at + bytes_of(state, at, &header);
        if (end > state->ahead.size)
            continue;
        error = rival_header_at(&state->search, state->scan->fd, state->ahead.size, end, follows);
        if (error != 0)
            return error;
        *follows = *follows || end == state->ahead.size;
        bool rival = false;
        if (!*follows)
            error = has_rival(state, at, end, &header, false, &rival);
        if (error != 0)
            return error;
        if (!rival) {
            *where = at;
            return 0;
        }
    }
    *where = state->ahead.size;
    *follows = true;
    return 0;
}

/* No record starts at `*at`: tells what is there, and moves on to where one does. */
static int tell_hole(struct state *state, int64_t *at, bool header_lies, bool *vouched)
{
    struct scan_part hole = {.kind = SCAN_HOLE, .offset = *at, .header_lies = header_lies};
    uint64_t unreadable = state->ahead.unreadable_bytes;
    int64_t end;
    int error = find_record(state, *at + 1, &end, vouched);
    if (error != 0)
        return error;
    hole.bytes = end - *at;
    hole.unreadable_bytes = state->ahead.unreadable_bytes - unreadable;
    if (hole.bytes < RECORD_HEADER_BYTES && hole.unreadable_bytes == 0) {
        const uint8_t *bytes;
        size_t got;
        error = window_at(&state->ahead, *at, (size_t)hole.bytes, &bytes, &got);
        if (error != 0)
            return error;
        if (end == state->ahead.size)
            hole.kind = SCAN_TAIL;
        else if (*vouched && got >= (size_t)hole.bytes && gap_is_small(bytes, (unsigned)hole.bytes))
            hole.kind = SCAN_GAP;
    }
    *at = end;
    return tell(state, &hole);
}

/* A header with a right sum is at `*at`. Tells of the record, or `*lies`. */
static int tell_record(struct state *state, int64_t *at, const struct record_header *header,
                       bool vouched, bool *lies, bool *follows, struct record_header *next)
{
    struct scan_part part = {.kind = SCAN_RECORD, .offset = *at, .header = *header};
    part.bytes = bytes_of(state, *at, header);
    int64_t end = *at + part.bytes;
    if (gap_begins(header, (uint64_t)(state->ahead.size - *at - RECORD_HEADER_BYTES)))
        part.kind = SCAN_GAP;
    uint64_t unreadable = state->ahead.unreadable_bytes;
    int error = 0;
    if (state->scan->read_values && part.kind == SCAN_RECORD)
        error = window_read_through(&state->ahead, *at + RECORD_HEADER_BYTES, end);
    part.unreadable_bytes = state->ahead.unreadable_bytes - unreadable;
    *follows = false;
    if (error == 0 && end < state->ahead.size)
        error = header_at(state, end, next, follows);
    bool rival = false;
    if (error == 0 && !*follows && end != state->ahead.size)
        error = has_rival(state, *at, end, header, vouched, &rival);
    if (error != 0)
        return error;
    if (end > state->ahead.size || rival) { /* or the file was cut while we read */
        *lies = rival;
        return 0;
    }
    part.alone = !vouched && !*follows && end != state->ahead.size;
    *at = end;
    *lies = false;
    return tell(state, &part);
}

static int follow(struct state *state)
{
    int64_t at = 0;
    bool vouched = true; /* by the record before it, or by being the first */
    bool known = false;  /* `header` is already that of `at` */
    struct record_header header = {0};
    while (at < state->ahead.size) {
        bool yes = known;
        int error = known ? 0 : header_at(state, at, &header, &yes);
        if (error != 0)
            return error;
        bool lies = false, follows = false;
        int64_t before = at;
        if (yes) {
            struct record_header next = {0};
            error = tell_record(state, &at, &header, vouched, &lies, &follows, &next);
            if (error != 0)
                return error;
            header = next;
        }
        known = follows && at != before;
        if (at != before) {
            vouched = true;
            continue;
        }
        if ((yes && !lies) || state->ahead.size - at < RECORD_HEADER_BYTES) {
            bool grown;
            error = look_again(state, &grown);
            if (error != 0)
                return error;
            if (grown)
                continue;
        }
        if (yes && !lies) {
            struct scan_part tail = {
                .kind = SCAN_TAIL, .offset = at, .bytes = state->ahead.size - at, .header = header};
            return tail.bytes > 0 ? tell(state, &tail) : 0;
        }
        error = tell_hole(state, &at, lies, &vouched);
        if (error != 0)
            return error;
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
    int error = window_open(&state->ahead, scan->fd, status.st_size, AHEAD_BYTES);
    if (error == 0)
        error = window_open(&state->inside, scan->fd, status.st_size, INSIDE_BYTES);
    state->ahead.before_read = state->inside.before_read = tell_progress;
    state->ahead.context = state->inside.context = state;
    if (error == 0)
        error = follow(state);
    window_close(&state->inside);
    window_close(&state->ahead);
    free(state);
    return error;
}
