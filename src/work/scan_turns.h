/*
 * scan_turns: scans that were woken when their worker had as many requests as may be in flight.
 *
 * What wakes one scan of a bucket wakes all of them, and there may be more than `-max-in-flight`.
 * Those that find no room are not refused, as they have not come now: they wait here, the oldest
 * first, until a request of their worker is finished. Like a scan in scan_waits they are not in
 * flight meanwhile.
 *
 * Owned by the router. Loop thread.
 */
#ifndef ROCHEFORT_WORK_SCAN_TURNS_H
#define ROCHEFORT_WORK_SCAN_TURNS_H

#include <stdbool.h>

#include "work/job.h"
#include "work/pool.h"

TAILQ_HEAD(scan_turn_list, job);

struct scan_turns {
    const struct pool *pool;
    unsigned count;
    struct scan_turn_list of_worker[POOL_WORKERS_MAX];
};

void scan_turns_init(struct scan_turns *turns, const struct pool *pool);

/* A JOB_SCAN that was refused with `scan.no_slot`. */
void scan_turns_add(struct scan_turns *turns, struct job *job);

/* False if it is in none of the lists. */
bool scan_turns_remove(struct scan_turns *turns, struct job *job);

/* Calls `woken` of as many as there is room for now. Some may be back soon, if others have come
 * first. */
void scan_turns_deliver(struct scan_turns *turns);

/* There is room for one. */
bool scan_turns_due(const struct scan_turns *turns);

#endif
