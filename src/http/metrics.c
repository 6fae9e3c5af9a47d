#include "http/metrics.h"

#include "http/status.h"

void metrics_count_response(struct metrics *metrics, unsigned endpoint, int status,
                            uint64_t took_ns)
{
    struct metrics_endpoint *counted = &metrics->endpoints[endpoint];
    counted->up_to[durations_bound(took_ns)]++;
    counted->took_ns += took_ns;
    counted->codes[status_index(status)]++;
}

void metrics_count_connections(struct metrics *metrics, unsigned connections)
{
    metrics->accepted += connections > metrics->connections;
    metrics->connections = connections;
}
