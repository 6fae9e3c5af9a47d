/*
 * clock: the two clocks of the kernel that this program reads.
 *
 * Any thread. No errors: both clocks exist on every Linux.
 */
#ifndef ROCHEFORT_BASE_CLOCK_H
#define ROCHEFORT_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NS_PER_SECOND 1000000000ULL
#define CLOCK_NS_PER_MS 1000000ULL

/* Nanoseconds since some moment before the program began; never goes back. For durations. */
uint64_t clock_monotonic_ns(void);

/* The same in whole seconds. */
int64_t clock_monotonic_s(void);

/* Nanoseconds since 1970-01-01 UTC; may be set back. For what is stored or shown. */
uint64_t clock_realtime_ns(void);

#endif
