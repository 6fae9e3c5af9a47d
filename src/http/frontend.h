/*
 * frontend: how what clients send becomes exchanges.
 *
 * The connections read and frame requests (framing.h), evhttp parses them, and each then is an
 * exchange that is given to its endpoint. What comes to nothing on this way is refused here, and
 * has its line in the access log all the same.
 *
 * Owned by the server; what it is given outlives it. Loop thread. Errors: -errno.
 */
#ifndef ROCHEFORT_HTTP_FRONTEND_H
#define ROCHEFORT_HTTP_FRONTEND_H

#include "http/body_limits.h"
#include "http/forwarded.h"
#include "net/framing.h"

struct connections;
struct event_base;
struct evhttp;
struct listener;
struct server_options;
struct service;

/* Zeroed: not started. The server sets the first three. */
struct frontend {
    struct service *service;
    const struct server_options *options;
    struct listener **listener; /* rests while there are as many connections as are allowed */
    struct connections *connections;
    struct evhttp *http, *admin_http; /* the second: of -admin-bind, NULL without it */
    struct framing_rules rules;
    struct body_limits limits;
    const char *forwarded[FORWARDED_MAX];
};

/* The service gets its connections. After a failure frontend_free is called too. */
int frontend_start(struct frontend *frontend, struct event_base *base);

/* After listener_close. */
void frontend_free(struct frontend *frontend);

#endif
