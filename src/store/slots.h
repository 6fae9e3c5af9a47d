/*
 * slots: which ids a prefix holds, if its node is one of several.
 *
 * An id is in slot XXH32(id, seed 0) modulo the number of all slots. That is what HAProxy computes
 * with url_param(id),url_dec(1),xxh32,mod(N).
 *
 * Pure functions; any thread.
 */
#ifndef ROCHEFORT_STORE_SLOTS_H
#define ROCHEFORT_STORE_SLOTS_H

#include <stdbool.h>

#include "store/id_hash.h"

#define SLOTS_MAX 65536

/* "A-B/N" with its NUL. */
#define SLOTS_TEXT_BYTES sizeof("65535-65535/65536")

struct slots {
    unsigned count;       /* of all, up to SLOTS_MAX; 0: every id is held */
    unsigned first, last; /* those that are held: first <= last < count */
};

/* The slot of an id. `count` must not be 0. */
static inline unsigned slots_of(const struct slots *slots, const struct id_hash *id)
{
    return id_hash_xxh32(id) % slots->count;
}

static inline bool slots_hold(const struct slots *slots, const struct id_hash *id)
{
    if (slots->count == 0)
        return true;
    unsigned slot = slots_of(slots, id);
    return slot >= slots->first && slot <= slots->last;
}

#endif
