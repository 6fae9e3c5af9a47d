/*
 * service: what the handlers of requests see of the server.
 *
 * Made and owned by the server (server.h). Loop thread.
 */
#ifndef ROCHEFORT_HTTP_SERVICE_H
#define ROCHEFORT_HTTP_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "http/event_log.h"
#include "http/exchange.h"
#include "http/metrics.h"
#include "http/origin.h"

struct access_log;
struct connections;
struct router;
struct tokens;

struct service {
    struct router *router;
    const char *root;      /* the path of the data directory */
    const char *root_json; /* the same, escaped */
    uint64_t value_bytes_max;
    unsigned idle_s;       /* a connection without a request is closed after so long; 0: never */
    int64_t log_slower_ms; /* a request that took longer is logged; -1: none is */
    const char *cache_control; /* Cache-Control of a value */
    struct origin_rules origins;
    bool origins_are_allowed;
    struct tokens *tokens; /* NULL: nobody is asked for one */
    bool admin_apart;      /* the figures are on -admin-bind alone */
    bool read_only;        /* somebody else writes to the root */
    bool stopping;         /* no new requests are served */
    struct metrics metrics;
    struct access_log *access_log; /* NULL: there is none */
    struct event_log failures;     /* responses of status 500 and above, and 421 */
    struct event_log limits;       /* that were reached */
    const struct connections *connections;
    uint64_t buffered_bytes_max;
    uint64_t now_ns; /* see service_now_ns; 0: to be read */
    int room;        /* what the last root_check_room has found */
    struct exchange_list free_exchanges;
    struct exchange_waits waits; /* scans that wait for appends, so many */
    unsigned waiting;
    char date[32]; /* the Date header of the second `date_s`; see service_date */
    int64_t date_s;
};

/* CLOCK_MONOTONIC, read when it is first asked for after the server has set `now_ns` to 0: before
 * it looks for requests, and before it looks for what is done. */
static inline uint64_t service_now_ns(struct service *service)
{
    if (service->now_ns == 0)
        service->now_ns = clock_monotonic_ns();
    return service->now_ns;
}

/* The value of a Date header, now; written once a second. */
const char *service_date(struct service *service);

#endif
