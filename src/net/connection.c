#include "net/connection.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>

#include "net/connection_state.h"

struct connection *connection_new(struct event_base *base, const struct framing_rules *rules,
                                  const struct connection_owner *owner, void *context)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return NULL;
    connection->inbox = evbuffer_new();
    /* With this option evhttp leaves closing the socket to the bufferevent, that is to us. */
    connection->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (connection->bev != NULL)
        bufferevent_incref(connection->bev);
    if (connection->inbox == NULL || connection->bev == NULL) {
        if (connection->bev != NULL)
            bufferevent_free(connection->bev);
        connection_free(connection);
        return NULL;
    }
    connection->base = base;
    connection->owner = owner;
    connection->context = context;
    connection->stream.fd = -1;
    framing_init(&connection->framing, rules);
    return connection;
}

void connection_free(struct connection *connection)
{
    framing_free(&connection->framing);
    if (connection->inbox != NULL)
        evbuffer_free(connection->inbox);
    if (connection->bev != NULL)
        bufferevent_decref(connection->bev);
    free(connection);
}

struct bufferevent *connection_bufferevent(const struct connection *connection)
{
    return connection->bev;
}

static void on_stream_changed(void *context)
{
    struct connection *connection = context;
    connection_run(connection);
    /* nothing is read or written while it waits for memory, so nothing else would tell */
    if (connection->state == READING && connection->memory == MEMORY_WANTED &&
        stream_is_gone(&connection->stream))
        connection_drop(connection);
}

/* evhttp has set the accepted socket on the bufferevent by now: take it away again. */
void connection_start(struct connection *connection)
{
    if (connection_is_detached(connection)) { /* out of memory, and evhttp has closed the socket */
        connection_close(connection);
        return;
    }
    int fd = bufferevent_getfd(connection->bev);
    (void)bufferevent_setfd(connection->bev, -1);
    (void)bufferevent_enable(connection->bev, EV_READ);
    if (!stream_open(&connection->stream, connection->base, fd, on_stream_changed, connection))
        connection_drop(connection);
    else
        connection->owner->settled(connection->context);
}

void connection_learn_peer(struct connection *connection)
{
    if (connection->state != DEAD)
        connection->peer = peer_of_socket(connection->stream.fd);
}

struct peer connection_peer(const struct connection *connection)
{
    return connection->peer;
}

void connection_memory_granted(struct connection *connection)
{
    connection->memory = MEMORY_GRANTED;
    connection_run(connection);
}

void connection_drain(struct connection *connection)
{
    connection->draining = true;
    if (!connection->running)
        connection_run(connection);
}

void connection_end(struct connection *connection)
{
    connection->ending = true;
    if (connection->state == LINGERING)
        connection_close(connection);
    else if (connection->state == WRITING)
        connection_abort(connection); /* it may be that only the end tells the client */
    else if (connection->state != SERVING)
        connection_drop(connection);
}

void connection_feed_evhttp(struct connection *connection)
{
    bufferevent_trigger(connection->bev, EV_READ, 0);
}

void connection_serve(struct connection *connection)
{
    connection->state = SERVING;
}

bool connection_wants_close(const struct connection *connection)
{
    return connection->framing.wants_close || connection->draining || connection->close_after_reply;
}

bool connection_http_1_0(const struct connection *connection)
{
    return connection->framing.http_1_0;
}

uint64_t connection_body_bytes(const struct connection *connection)
{
    return framing_body_bytes(&connection->framing);
}

struct framing_judgement connection_judgement(const struct connection *connection)
{
    return connection->framing.judgement;
}

bool connection_is_head(const struct connection *connection)
{
    return connection->framing.is_head && connection->framing.state == FRAMING_HEAD;
}

void connection_close_after_reply(struct connection *connection)
{
    connection->close_after_reply = true;
}

struct evbuffer *connection_output(const struct connection *connection)
{
    return bufferevent_get_output(connection->bev);
}

void connection_wait(struct connection *connection, void (*ended)(void *argument), void *argument)
{
    connection_release_memory(connection);
    connection->waiter = ended;
    connection->waiter_argument = argument;
    if (connection_has_left(connection)) /* there is no other edge */
        connection->owner->unfinished(connection->context);
}

void connection_go_on(struct connection *connection, void (*go_on)(void *argument), void *argument)
{
    connection->waiter = go_on;
    connection->waiter_argument = argument;
    connection->going_on = true;
    connection->memory = connection->owner->memory_wanted(connection->context, 0, 0)
                             ? MEMORY_GRANTED
                             : MEMORY_WANTED;
    (void)connection_wait_on(connection);
}

void connection_send(struct connection *connection)
{
    connection->state = WRITING;
    connection->waiter = NULL;
    if (!connection->running)
        connection_run(connection);
}

void connection_send_piece(struct connection *connection, void (*sent)(void *argument, bool gone),
                           void *argument)
{
    connection->piece_sent = sent;
    connection->piece_argument = argument;
    connection_send(connection);
}

size_t connection_request_line(const struct connection *connection, char *out, size_t room)
{
    /* what is left of a head that is well-formed is with evhttp already */
    struct evbuffer *from = connection_has_request(connection)
                                ? bufferevent_get_input(connection->bev)
                                : connection->inbox;
    struct evbuffer_ptr end = evbuffer_search_eol(from, NULL, NULL, EVBUFFER_EOL_CRLF_STRICT);
    if (end.pos <= 0)
        return 0;
    ev_ssize_t copied =
        evbuffer_copyout(from, out, (size_t)end.pos < room ? (size_t)end.pos : room);
    return copied > 0 ? (size_t)copied : 0;
}

uint64_t connection_arrived_bytes(const struct connection *connection)
{
    return connection_has_request(connection)
               ? framing_arrived_bytes(&connection->framing, connection->inbox)
               : 0;
}

enum timeouts_phase connection_phase(const struct connection *connection)
{
    switch (connection->state) {
    case READING:
        if (connection->memory == MEMORY_WANTED)
            return TIMEOUTS_NONE;
        if (!framing_midway(&connection->framing, connection->inbox))
            return TIMEOUTS_IDLE;
        return connection->framing.state == FRAMING_HEAD ? TIMEOUTS_HEAD : TIMEOUTS_BODY;
    case WRITING:
        return TIMEOUTS_REPLY;
    case LINGERING:
        return TIMEOUTS_LINGER;
    case SERVING:
    case DEAD:
        break;
    }
    return TIMEOUTS_NONE;
}

void *connection_piece(const struct connection *connection)
{
    return connection->piece_sent != NULL ? connection->piece_argument : NULL;
}

unsigned connection_requests(const struct connection *connection)
{
    return connection->requests;
}

uint64_t connection_unsent_bytes(const struct connection *connection)
{
    return stream_unsent_bytes(&connection->stream);
}

uint64_t connection_received_bytes(const struct connection *connection)
{
    return connection->stream.received_bytes;
}

uint64_t connection_moved_bytes(const struct connection *connection)
{
    const struct stream *stream = &connection->stream;
    if (connection->state == WRITING || connection->state == LINGERING)
        /* what is thrown away must not pass for a reply that is taken */
        return stream->written_bytes - stream_unsent_bytes(stream);
    return stream->received_bytes + stream->written_bytes;
}
