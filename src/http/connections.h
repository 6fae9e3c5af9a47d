/*
 * connections: all clients of a server.
 *
 * Gives evhttp its bufferevents and takes over the sockets that it accepts;
 * keeps count; sees to it that a client with much to say takes turns with the
 * others.
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_HTTP_CONNECTIONS_H
#define ROCHEFORT_HTTP_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "http/connection.h"

struct event_base;

struct connections_options {
    struct event_base *base;
    const struct framing_limit *limits;
    void (*count_changed)(void *context, unsigned count); /* one came or went */
    void *context;
};

#define CONNECTIONS_SCRATCH_BYTES (64 * 1024)

TAILQ_HEAD(connection_list, connection);

/* The fields are for connection.c and connections.c. */
struct connections {
    struct connections_options options;
    struct connection_list born, alive, dead, hungry;
    unsigned count, hungry_count;
    bool draining; /* no new requests */
    bool ending;   /* no more waiting for clients either */
    struct connection *current;
    char scratch[CONNECTIONS_SCRATCH_BYTES]; /* for bytes that nobody wants */
};

/* NULL when out of memory. */
struct connections *connections_new(const struct connections_options *options);

/* After evhttp_free. Closes whatever is left. NULL is ignored. */
void connections_free(struct connections *set);

/* For evhttp_set_bevcb; `set` is its argument. */
struct bufferevent *connections_accept(struct event_base *base, void *set);

/*
 * Once a turn of the loop: takes over the sockets accepted in it, goes on with those that had too
 * much to do, frees what has ended.
 */
void connections_turn(struct connections *set);

/* False if connections_turn must be called again before the loop sleeps. */
bool connections_may_sleep(const struct connections *set);

unsigned connections_count(const struct connections *set);

/*
 * Called by a handler: takes the request that evhttp is handing out, and says whose it is. NULL if
 * it is none of ours (evhttp makes do without connections_accept when that is out of memory).
 */
struct connection *connections_take(struct connections *set);

/* Ends all connections that have no request under way, now and from now on. */
void connections_drain(struct connections *set);

/* Ends all connections but those whose request is with a worker; and these when it comes back. */
void connections_end(struct connections *set);

#endif
