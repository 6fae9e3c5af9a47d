/*
 * trim_schedule: when memory that was freed goes back to the system.
 *
 * The allocator holds what the requests of a busy time have needed. From the
 * moment that they need much, one looks at it once an interval: if they needed
 * less than half of that in all of the interval, the rest is given back; and
 * for a last time when they need next to nothing. So a steady load gives back
 * nothing, and one that comes and goes does so every other interval at most.
 *
 * The workers begin: most of what is free is nobody's, and giving it back takes
 * the first that does so some 20 ms for 300 MiB. For the loop, an interval
 * later, a few are left; what it frees meanwhile is left to the workers.
 *
 * Knows no clock and no memory: the server gives it both. Loop thread.
 */
#ifndef ROCHEFORT_HTTP_TRIM_SCHEDULE_H
#define ROCHEFORT_HTTP_TRIM_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* What is much, and next to nothing. */
#define TRIM_SCHEDULE_BEGIN_BYTES (16ULL * 1024 * 1024)
#define TRIM_SCHEDULE_END_BYTES (1ULL * 1024 * 1024)

/* Zeroed: nothing was needed yet. */
struct trim_schedule {
    uint64_t held_bytes;   /* the most that requests have needed since the last trim */
    uint64_t recent_bytes; /* the same since the last tick */
    bool active;
    bool workers_have; /* and the rest follows */
};

enum trim_step { TRIM_NOTHING, TRIM_WORKERS, TRIM_LOOP_AND_WORKERS };

/* So much memory is reserved for requests at the moment. True: trim_schedule_tick must be called
 * when an interval is over. */
bool trim_schedule_note(struct trim_schedule *schedule, uint64_t reserved_bytes);

/* An interval is over: who gives back now. */
enum trim_step trim_schedule_tick(struct trim_schedule *schedule);

#endif
