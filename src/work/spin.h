/*
 * spin: looking on for a moment before going to sleep.
 *
 * To be woken costs more than most of what there is to do: some microseconds
 * on both sides, more if the core has gone to sleep too. So who expects work
 * soon looks on for a while; between two looks it may offer the core to others.
 * It has to be worth it: after each time in vain it is left out for longer.
 * So a thread spins after work only, and never for long when idle.
 *
 * One thread at a time.
 */
#ifndef ROCHEFORT_WORK_SPIN_H
#define ROCHEFORT_WORK_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct spin {
    uint64_t most_ns;   /* constant; 0: never */
    bool offers;        /* constant; lets others have the core between two looks */
    unsigned left_out;  /* how many more times it is not tried */
    unsigned leave_out; /* how many after the next failure */
};

/* Looks until `ready` says so: true; or false: it did not within the time, or it was not tried. */
bool spin_until(struct spin *spin, bool (*ready)(const void *argument), const void *argument);

#endif
