/*
 * metrics: what the loop counts of responses.
 *
 * Each response is counted once, by tally.c. The workers have counters of
 * their own, see worker_counts.h. Loop thread.
 */
#ifndef ROCHEFORT_HTTP_METRICS_H
#define ROCHEFORT_HTTP_METRICS_H

#include <stdint.h>

#include "base/durations.h"
#include "http/status.h"

/* Those of endpoints.c, and METRICS_OTHER: unknown paths and what is no request. */
#define METRICS_ENDPOINTS 32
#define METRICS_OTHER (METRICS_ENDPOINTS - 1)

struct metrics_endpoint {
    uint64_t took_ns;
    uint64_t up_to[DURATIONS_BOUNDS + 1]; /* each bound, but not the one before; above all */
    uint64_t codes[STATUS_INDEXES];       /* by status_index */
};

struct metrics {
    uint64_t started_ns;  /* CLOCK_REALTIME */
    uint64_t accepted;    /* connections */
    unsigned connections; /* now */
    struct metrics_endpoint endpoints[METRICS_ENDPOINTS];
};

void metrics_count_response(struct metrics *metrics, unsigned endpoint, int status,
                            uint64_t took_ns);

/* There are so many connections now. */
void metrics_count_connections(struct metrics *metrics, unsigned connections);

#endif
