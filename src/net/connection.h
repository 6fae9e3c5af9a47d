/*
 * connection: one client's socket, with evhttp on top of it for the HTTP.
 *
 * evhttp wants to own the socket; it gets a bufferevent without one, a passive
 * pair of buffers. The socket belongs to this module: it is registered once,
 * edge-triggered, and read and written when we choose. What arrives goes to
 * the inbox, is framed (framing.h) and handed to evhttp one whole request at a
 * time. While a request is served nothing is read, so a client that sends ahead
 * fills its own socket's buffer and not our memory.
 *
 *   socket -> inbox -> framing -> evhttp -> the handler of the request
 *   socket <-------------------- output <- connection_send
 *
 * evhttp stays because it is what a C programmer of this field knows: it parses
 * the request and keeps its life cycle. The sockets are ours because a request
 * then costs two system calls instead of eight to eleven.
 *
 * States:
 *   READING    the next request is not complete, or waits for memory
 *   SERVING    a handler or a worker has the request; the socket is left alone
 *   WRITING    the reply, or a piece of it, is being written
 *   LINGERING  the last reply is written and our side ended; what still comes is thrown away, so
 *              that the kernel does not answer it with a reset that could destroy the reply
 *   DEAD       closed; the owner frees it when nothing of it is on the stack
 *
 *   READING -> SERVING -> WRITING -> READING, or SERVING between two pieces, or LINGERING
 *   READING, WRITING and LINGERING -> DEAD when the socket fails or the owner ends it
 *   SERVING -> DEAD by connection_abort only, so a handler may keep the pointer until then
 *
 * It knows no owner, no endpoint and no timeouts: all it has to say goes to the
 * functions of struct connection_owner. Owned by the caller of connection_new.
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_NET_CONNECTION_H
#define ROCHEFORT_NET_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/connection_closing.h"
#include "net/connection_owner.h"
#include "net/connection_steps.h"
#include "net/framing.h"
#include "net/peer.h"
#include "net/timeouts.h"

struct bufferevent;
struct connection;
struct evbuffer;
struct event_base;

/* NULL when out of memory. `owner` and `rules` are constant and outlive it. */
struct connection *connection_new(struct event_base *base, const struct framing_rules *rules,
                                  const struct connection_owner *owner, void *context);
void connection_free(struct connection *connection);

/* The bufferevent for evhttp. */
struct bufferevent *connection_bufferevent(const struct connection *connection);

/* Takes over the socket that evhttp has set on the bufferevent. May end in `closed`. */
void connection_start(struct connection *connection);

/* Asks the kernel who the client is, for connection_peer; before that it is not known. */
void connection_learn_peer(struct connection *connection);

struct peer connection_peer(const struct connection *connection);

/* After memory_wanted was false. */
void connection_memory_granted(struct connection *connection);

/* No request after the one at hand; one that is idle is closed. */
void connection_drain(struct connection *connection);

/* Nobody waits for this client any more: closed, or, while its request is served, as soon as the
 * reply does not go out at once. */
void connection_end(struct connection *connection);

/* For the handler of a request. */

/* In request_ready: evhttp reads its input, and calls the handler of a request that is complete. */
void connection_feed_evhttp(struct connection *connection);

/* The handler has the request. */
void connection_serve(struct connection *connection);

/* The reply must say "Connection: close", and the connection is closed after it. */
bool connection_wants_close(const struct connection *connection);

/* The request is of HTTP/1.0. */
bool connection_http_1_0(const struct connection *connection);

/* How many bytes its body has. */
uint64_t connection_body_bytes(const struct connection *connection);

/* What its head was found to be; see framing_rules. */
struct framing_judgement connection_judgement(const struct connection *connection);

/* The last request is a HEAD and was framed to its end, so that its reply has no body. */
bool connection_is_head(const struct connection *connection);

/* Has the connection closed after this reply. */
void connection_close_after_reply(struct connection *connection);

/* Where the reply is put before connection_send. */
struct evbuffer *connection_output(const struct connection *connection);

/* Writes the output; evhttp must know that the reply is complete. Then the next request is read. */
void connection_send(struct connection *connection);

/*
 * The same for a piece of a reply: `sent` is called once it is written, or with `gone` true when
 * the client is gone; then evhttp has let go of the request and the connection must not be used
 * again.
 */
void connection_send_piece(struct connection *connection, void (*sent)(void *argument, bool gone),
                           void *argument);

/*
 * While the request is served and nothing can be answered for long: its memory is released.
 * `ended` is called once if the client has ended its side, never from inside this call: it has
 * gone, or takes what there is now.
 */
void connection_wait(struct connection *connection, void (*ended)(void *argument), void *argument);

/* Ends the wait: `go_on` is called when there is memory for a reply again, maybe at once. A short
 * reply may be sent without it. */
void connection_go_on(struct connection *connection, void (*go_on)(void *argument), void *argument);

/* Of a request that is being read and will not be served. */

/* Its first line, without the end, or so many bytes of it. Returns 0 if it has not come as a whole.
 */
size_t connection_request_line(const struct connection *connection, char *out, size_t room);

/* How many bytes of its body have come. */
uint64_t connection_arrived_bytes(const struct connection *connection);

/* For timeouts and lists of the owner. */

enum timeouts_phase connection_phase(const struct connection *connection);

/* The argument of the piece that is being written; NULL if none is. */
void *connection_piece(const struct connection *connection);

/* How many requests were complete so far. */
unsigned connection_requests(const struct connection *connection);

/* Received in all. */
uint64_t connection_received_bytes(const struct connection *connection);

/* In all: sent and acknowledged, and, unless a reply is under way or the last one was written,
 * received. */
uint64_t connection_moved_bytes(const struct connection *connection);

/* Written to the socket and not acknowledged. */
uint64_t connection_unsent_bytes(const struct connection *connection);

#endif
