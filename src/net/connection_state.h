/*
 * connection_state: what connection, connection_steps and connection_closing share; nobody else
 * looks at it.
 *
 * Owned by the connection, whose states connection.h explains. Loop thread.
 */
#ifndef ROCHEFORT_NET_CONNECTION_STATE_H
#define ROCHEFORT_NET_CONNECTION_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/connection_owner.h"
#include "net/framing.h"
#include "net/peer.h"
#include "net/stream.h"

struct bufferevent;
struct evbuffer;
struct event_base;

enum connection_state { READING, SERVING, WRITING, LINGERING, DEAD };
enum connection_memory { MEMORY_NONE, MEMORY_WANTED, MEMORY_GRANTED };

struct connection {
    const struct connection_owner *owner;
    void *context;
    struct event_base *base;
    struct bufferevent *bev; /* evhttp's; we hold a reference */
    struct stream stream;
    struct peer peer; /* once it is learned */
    struct evbuffer *inbox;
    struct framing framing;
    bool complete; /* a whole request is in evhttp's input, and not served yet */
    enum connection_state state;
    enum connection_memory memory;
    uint64_t granted_bytes; /* or wanted, beside what every reply takes */

    bool running; /* connection_run is on the stack */
    bool draining, ending, close_after_reply;
    unsigned requests;

    void (*piece_sent)(void *argument, bool gone);
    void *piece_argument;

    /* in state SERVING, see connection_wait; NULL: nothing is waited for */
    void (*waiter)(void *argument);
    void *waiter_argument;
    bool going_on; /* for memory */
};

/* The client has closed its side, or the socket has failed. */
static inline bool connection_has_left(const struct connection *connection)
{
    return stream_has_hung_up(&connection->stream) || stream_is_gone(&connection->stream);
}

/* In state READING: the head of a request has come. */
static inline bool connection_has_request(const struct connection *connection)
{
    return connection->complete || connection->framing.state != FRAMING_HEAD;
}

/* Of connection_steps.c. In state SERVING: true if a reply is under way now. */
bool connection_wait_on(struct connection *connection);

/* Of connection_closing.c, as the rest. evhttp has freed its side. */
bool connection_is_detached(const struct connection *connection);

/* Has evhttp free its side: it is told that the client has gone. */
void connection_detach_evhttp(struct connection *connection);

/* The memory of the request at hand is not needed any more, or not wanted. */
void connection_release_memory(struct connection *connection);

/* The socket has failed, or nobody waits for it any more. */
void connection_drop(struct connection *connection);

/* The last reply is written and evhttp has let go: state LINGERING. */
void connection_linger(struct connection *connection);

/* In state LINGERING: throws away what has come. */
void connection_linger_on(struct connection *connection);

#endif
