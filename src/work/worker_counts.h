/*
 * worker_counts: what a worker has done since it began.
 *
 * One writer, the worker: a count is a relaxed load and a relaxed store, no
 * locked instruction. Any thread may read; two counts that are read one after
 * the other need not be of the same moment.
 */
#ifndef ROCHEFORT_WORK_WORKER_COUNTS_H
#define ROCHEFORT_WORK_WORKER_COUNTS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/durations.h"

typedef _Atomic uint64_t worker_count;

struct worker_counts {
    worker_count appended_records, appended_bytes;  /* values alone, as written */
    worker_count writes;                            /* of one or more records */
    worker_count read_bytes;                        /* handed over for replies */
    worker_count syncs_failed, sync_ns;             /* failed ones count here too: */
    worker_count syncs_up_to[DURATIONS_BOUNDS + 1]; /* each bound, but not the one before */
};

static inline void worker_count_add(worker_count *count, uint64_t more)
{
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

static inline uint64_t worker_count_read(const worker_count *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

#endif
