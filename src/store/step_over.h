/*
 * step_over: where records go on behind bytes that are none.
 *
 * The gaps that `rochefort repair` leaves say how long they are. In damage the next header with a
 * right checksum is searched for, byte by byte. It is taken for a record's if the record, or gap,
 * ends before the end of the file, and a header, a gap or that end follows it; so a copy of a
 * header in the middle of a value is not.
 *
 * What cannot be known:
 *   - damage to the header of a value that holds records itself: these are then found as if they
 *     had been appended;
 *   - a record with damage on both sides is passed over. It can be read at its offset, and
 *     `rochefort dump` finds it.
 *
 * Done in steps, since damage can be long. One thread. Errors: see walk.h.
 */
#ifndef ROCHEFORT_STORE_STEP_OVER_H
#define ROCHEFORT_STORE_STEP_OVER_H

#include <stdbool.h>
#include <stdint.h>

#include "store/walk.h"

/* Begun with the offset alone. */
struct step_over {
    int64_t offset; /* how far it has come; result: where the next record starts, or the end */
    bool searching; /* nothing is known of `offset` but that it is behind the damage's beginning */
};

/* Goes on until the walk has made `reads` reads in all, or a few more. `*done`: that is it. */
int step_over_continue(struct step_over *over, struct walk *walk, unsigned reads, bool *done);

#endif
