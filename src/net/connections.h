/*
 * connections: all clients of a server.
 *
 * Gives evhttp its bufferevents and takes over the sockets that it accepts;
 * keeps count; schedules those that have more to do than fits into one loop
 * iteration; keeps all together within the memory budget (budget.h), with a queue
 * for each size of request; and acts on what timeouts.h says. Connections that are due for a check
 * are in lists by length of time, so those that are not due cost nothing.
 *
 * Owns the connections. What they report is handled here; refusals go on to
 * `refused`, which answers them.
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_NET_CONNECTIONS_H
#define ROCHEFORT_NET_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "net/connection.h"
#include "net/framing.h"
#include "net/timeouts.h"

struct bufferevent;
struct connections;
struct event_base;

/* A request that was not read to its end, or that evhttp did not understand. */
struct connections_refusal {
    int status;
    const char *why;     /* one line for the client */
    uint64_t elapsed_ms; /* since the request began to arrive */
};

struct connections_options {
    struct event_base *base;
    const struct framing_rules *rules; /* outlive the connections */
    struct timeouts timeouts;
    uint64_t buffered_bytes_max; /* of all requests and replies */
    uint64_t reply_bytes_max;    /* of one reply, or of a piece of it, in memory */
    void (*count_changed)(void *context, unsigned count); /* one came or went */
    void (*memory_awaited)(void *context); /* a request has to wait for memory; may be NULL */
    /* Answer it with connection_refuse. */
    void (*refused)(void *context, struct connection *connection,
                    const struct connections_refusal *refusal);
    /* See connection_owner; may be NULL. */
    void (*lost)(void *context, const struct connection *connection, uint64_t elapsed_ms);
    bool peers_wanted; /* connection_peer is asked for */
    /* Of the argument of connection_send_piece: reset the connection now? May be NULL. */
    bool (*piece_overdue)(const void *argument);
    void *context;
};

/* NULL when out of memory. */
struct connections *connections_new(const struct connections_options *options);

/* After evhttp_free. Closes whatever is left. NULL is ignored. */
void connections_free(struct connections *connections);

/* For evhttp_set_bevcb; `connections` is its argument. */
struct bufferevent *connections_accept(struct event_base *base, void *connections);

/*
 * Once a loop iteration: takes over the sockets accepted in it, goes on with those that had too
 * much to do and with those that waited for memory, each of them once, and frees what has ended.
 */
void connections_run(struct connections *connections);

/* At the end of each loop iteration, before the loop waits for events. False if connections_run
 * must be called again first, so that the loop may only look for events and not sleep. */
bool connections_may_sleep(struct connections *connections);

unsigned connections_count(const struct connections *connections);

/* How much memory is reserved for requests and replies. */
uint64_t connections_reserved_bytes(const struct connections *connections);

/*
 * Called by the handler that evhttp calls with a request: whose request it is, which is now served.
 * NULL if it is none of ours (evhttp makes do without connections_accept when that is out of
 * memory).
 */
struct connection *connections_serve(struct connections *connections);

/* Ends all connections that have no request under way, now and from now on. */
void connections_drain(struct connections *connections);

/* Ends all connections but those whose request is with a worker; and these when it comes back. */
void connections_end(struct connections *connections);

bool connections_ending(const struct connections *connections);

#endif
