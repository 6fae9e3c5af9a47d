/*
 * connection: one client's socket, with evhttp on top for the HTTP.
 *
 * evhttp wants to own the socket; it gets a bufferevent without one, a passive
 * pair of buffers. The socket belongs to this module: it is registered once,
 * edge-triggered, and read and written when we choose. What arrives goes to
 * the inbox, is framed (framing.h) and handed to evhttp one whole request at a
 * time. While a request is served nothing is read, so a client that sends
 * ahead fills its own socket's buffer and not our memory.
 *
 *   socket -> inbox -> framing -> evhttp -> the handler
 *   socket <-------------------- evhttp <- connection_send
 *
 * States:
 *   READING    the next request is not complete, or waits for its share of memory (budget.h)
 *   SERVING    a handler or a worker has the request; the socket is left alone
 *   WRITING    the reply, or a piece of it, is on its way out
 *   LINGERING  the last reply is out; what still comes is thrown away
 *   DEAD       closed, freed at the end of the turn
 *
 *   READING -> SERVING -> WRITING -> READING, or SERVING between two pieces, or LINGERING
 *   READING, WRITING and LINGERING -> DEAD when the socket fails or the server stops
 *   SERVING -> DEAD by connection_abort only, so whoever serves may keep the pointer until then
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_NET_CONNECTION_H
#define ROCHEFORT_NET_CONNECTION_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "net/framing.h"
#include "net/timeouts.h"

struct bufferevent;
struct connections;

enum connection_state {
    CONNECTION_READING,
    CONNECTION_SERVING,
    CONNECTION_WRITING,
    CONNECTION_LINGERING,
    CONNECTION_DEAD
};

TAILQ_HEAD(connection_list, connection);

/* The fields are for connection.c, connections.c, farewell.c and patience.c. */
struct connection {
    TAILQ_ENTRY(connection) entry, hungry_entry, waiting_entry;
    struct connections *set;
    struct bufferevent *bev; /* evhttp's; we hold a reference */
    struct event event;
    int fd;
    struct evbuffer *inbox;
    struct framing framing;
    struct framing_verdict held; /* released by framing, but the request has no share yet */
    enum connection_state state;

    bool readable;  /* the kernel may have bytes that we have not taken */
    bool drained;   /* the last read emptied the socket; no edge and no feed since */
    bool hung_up;   /* the client has ended its side; only a read of 0 tells when it is all read */
    bool advancing; /* connection_advance is on the stack */
    bool hungry;    /* has more to do than fits into a turn; on the set's list */
    bool has_share;
    struct connection_list *waiting; /* the set's list of those that want a share; NULL if not */
    uint64_t share_body_bytes;       /* what the share is, or would be, for */

    unsigned requests; /* so many complete ones went to evhttp */
    uint64_t received_bytes, written_bytes;
    struct patience_seen seen;

    void (*then)(void *argument, bool gone);
    void *then_argument;
};

/* The reply must say so, and the connection is closed after it. */
bool connection_wants_close(const struct connection *connection);

/* Writes what evhttp has put out for the request at hand; when it is out the next one is served. */
void connection_send(struct connection *connection);

/*
 * The same for a reply in pieces: `then` is called once the piece is out, or with `gone` true when
 * the client is; then evhttp has let go of the request and the connection must not be used again.
 */
void connection_send_piece(struct connection *connection, void (*then)(void *argument, bool gone),
                           void *argument);

/* Drops the client in the middle of a reply, so that it cannot take it for a whole one. */
void connection_abort(struct connection *connection);

/* For connections.c, farewell.c and patience.c */

/* True if evhttp has freed its side. It does so inside many of its functions, and only this tells.
 */
bool connection_is_orphan(const struct connection *connection);

/* Goes on with whatever the connection can do now. */
void connection_advance(struct connection *connection);

/* It goes on in the next turn, before the loop sleeps. */
void connection_become_hungry(struct connection *connection);

/* Takes it off the set's list of the hungry. */
void connection_be_sated(struct connection *connection);

/* The request is over, or will never be: what it held of the budget is free. */
void connection_give_share(struct connection *connection);

/* Tells evhttp that the socket has failed, whereupon it frees its side, and closes it. */
void connection_fail(struct connection *connection);

/* Closes the socket; evhttp has let go already. */
void connection_end(struct connection *connection);

/* Callback of the socket's event. */
void connection_on_event(evutil_socket_t fd, short what, void *connection);

#endif
