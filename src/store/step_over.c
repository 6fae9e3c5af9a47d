#include "store/step_over.h"

#include "store/search.h"

/* Whether something that is known ends or begins there. */
static bool is_boundary(enum walk_kind kind)
{
    return kind != WALK_DAMAGED && kind != WALK_TOO_SHORT;
}

/* Whether the header at `offset`, whose sum is right, is to be believed. */
static int check_header(struct walk *walk, int64_t offset, bool *believed)
{
    struct walk_part part, next;
    *believed = false;
    int error = walk_look(walk, offset, &part);
    if (error != 0 || part.kind == WALK_CUT_SHORT)
        return error;
    error = walk_look(walk, offset + part.bytes, &next);
    *believed = error == 0 && is_boundary(next.kind);
    return error;
}

/* From `over->offset` on, until a header is believed. `*done`: until the end. */
static int search_on(struct step_over *over, struct walk *walk, unsigned reads, bool *done)
{
    struct search search;
    search_prepare(&search);
    while (over->searching && walk->reads < reads) {
        const uint8_t *bytes;
        struct record_header header;
        size_t got;
        bool found = false;
        if (walk->end - over->offset < RECORD_HEADER_BYTES) {
            over->offset = walk->end;
            *done = true;
            return 0;
        }
        int error = walk_bytes(walk, over->offset, RECORD_HEADER_BYTES, &bytes, &got);
        if (error != 0)
            return error;
        over->offset += (int64_t)search_next(&search, bytes, got, &header, &found);
        if (!found)
            continue;
        bool believed;
        error = check_header(walk, over->offset, &believed);
        if (error != 0)
            return error;
        over->searching = !believed;
        over->offset += believed ? 0 : 1;
    }
    return 0;
}

int step_over_continue(struct step_over *over, struct walk *walk, unsigned reads, bool *done)
{
    struct walk_part part;
    *done = false;
    while (walk->reads < reads) {
        if (over->searching) {
            int error = search_on(over, walk, reads, done);
            if (error != 0 || *done)
                return error;
            continue;
        }
        int error = walk_look(walk, over->offset, &part);
        if (error != 0)
            return error;
        *done = part.kind == WALK_RECORD || part.kind == WALK_END;
        if (*done)
            return 0;
        over->searching = part.kind != WALK_GAP;
        over->offset += over->searching ? 1 : part.bytes;
    }
    return 0;
}
