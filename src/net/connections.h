/*
 * connections: all clients of a server.
 *
 * Gives evhttp its bufferevents and takes over the sockets that it accepts;
 * keeps count; sees to it that a client with much to say takes turns with the
 * others, that all together stay within the budget of memory, and that nobody
 * takes for ever.
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_NET_CONNECTIONS_H
#define ROCHEFORT_NET_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "net/budget.h"
#include "net/connection.h"

struct event;
struct event_base;

struct connections_options {
    struct event_base *base;
    const struct framing_limit *limits;
    struct patience patience;
    uint64_t buffered_bytes_max;
    void (*count_changed)(void *context, unsigned count); /* one came or went */
    bool (*overdue)(const void *argument); /* of connection_send_piece: drop the client now */
    void *context;
};

#define CONNECTIONS_SCRATCH_BYTES (64 * 1024)

/* The fields are for connection.c, connections.c and farewell.c. */
struct connections {
    struct connections_options options;
    struct connection_list born, alive, dead, hungry;
    struct connection_list small_waiting, large_waiting; /* for a share of the budget, in order */
    struct budget budget;
    bool shares_given;    /* since the last turn, while others wait */
    struct event *second; /* pending while there are connections */
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
 * much to do and with those that waited for memory, each of them once, and frees what has ended.
 */
void connections_turn(struct connections *set);

/* Where a request with a body of so many bytes waits for its share of the budget. */
struct connection_list *connections_queue(struct connections *set, uint64_t body_bytes);

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
