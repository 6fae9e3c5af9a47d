/*
 * service: what the handlers of requests see of the server.
 *
 * Made and owned by the server (server.h). Loop thread.
 */
#ifndef ROCHEFORT_HTTP_SERVICE_H
#define ROCHEFORT_HTTP_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "http/exchange.h"
#include "http/origin.h"

struct router;

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
    bool stopping; /* no new requests are served */
    int room;      /* what the last root_check_room has found */
    struct exchange_list free_exchanges;
    char date[32]; /* the Date header of the second `date_s`; see response.c */
    int64_t date_s;
};

#endif
