/*
 * durations: the bounds of histograms of durations.
 *
 * Pure functions. Any thread.
 */
#ifndef ROCHEFORT_BASE_DURATIONS_H
#define ROCHEFORT_BASE_DURATIONS_H

#include <stdint.h>

#define DURATIONS_BOUNDS 15

extern const uint64_t durations_bounds_ns[DURATIONS_BOUNDS];

/* The first bound that it is not above; DURATIONS_BOUNDS if it is above all. */
static inline unsigned durations_bound(uint64_t ns)
{
    unsigned bound = 0;
    while (bound < DURATIONS_BOUNDS && ns > durations_bounds_ns[bound])
        bound++;
    return bound;
}

#endif
