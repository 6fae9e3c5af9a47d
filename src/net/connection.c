#include "net/connection.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>

#include "net/reservations.h"
#include "net/stream.h"

/* So many steps of one client in a row, then it is the turn of other connections. */
#define STEPS_MAX 32

enum state { READING, SERVING, WRITING, LINGERING, DEAD };
enum memory { MEMORY_NONE, MEMORY_WANTED, MEMORY_GRANTED };

struct connection {
    const struct connection_owner *owner;
    void *context;
    struct event_base *base;
    struct bufferevent *bev; /* evhttp's; we hold a reference */
    struct stream stream;
    struct evbuffer *inbox;
    struct framing framing;
    bool complete; /* a whole request is in evhttp's input, and not served yet */
    enum state state;
    enum memory memory;
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

/* evhttp has freed its side. It does so inside many of its functions, and only this tells. */
static bool is_detached(const struct connection *connection)
{
    bufferevent_event_cb event_cb;
    bufferevent_getcb(connection->bev, NULL, NULL, &event_cb, NULL);
    return event_cb == NULL;
}

static void release_memory(struct connection *connection)
{
    if (connection->memory == MEMORY_NONE)
        return;
    connection->memory = MEMORY_NONE;
    connection->granted_bytes = 0;
    connection->owner->memory_released(connection->context);
}

static uint64_t memory_of(const struct framing_limit *limit, uint64_t body_bytes)
{
    return limit->memory_bytes != NULL ? limit->memory_bytes(body_bytes) : body_bytes;
}

/* True if the request at hand may be in memory, as far as it is known. */
static bool has_memory(struct connection *connection)
{
    if (connection->memory == MEMORY_WANTED)
        return false;
    const struct framing *framing = &connection->framing;
    uint64_t bytes = memory_of(framing->limit, framing_body_bytes(framing)), most = bytes;
    if (connection->memory == MEMORY_GRANTED && bytes <= connection->granted_bytes)
        return true;
    if (framing->chunked && !connection->complete) {
        most = memory_of(framing->limit, framing->limit->body_bytes_max);
        bytes = reservations_step(bytes, connection->granted_bytes, most);
    }
    connection->granted_bytes = bytes;
    bool granted = connection->owner->memory_wanted(connection->context, bytes, most);
    connection->memory = granted ? MEMORY_GRANTED : MEMORY_WANTED;
    return granted;
}

void connection_close(struct connection *connection)
{
    if (connection->state == DEAD)
        return;
    connection->state = DEAD;
    stream_close(&connection->stream);
    release_memory(connection);
    connection->owner->closed(connection->context);
}

/* Tells evhttp that the client has gone. It frees its side and, before that, ends our sending side
 * of the socket. */
static void detach_evhttp(struct connection *connection)
{
    bufferevent_trigger_event(connection->bev, BEV_EVENT_READING | BEV_EVENT_EOF, 0);
}

/* The socket has failed, or nobody waits for it any more. */
static void drop(struct connection *connection)
{
    void (*piece_sent)(void *, bool) = connection->piece_sent;
    connection->piece_sent = NULL;
    if (connection->state == DEAD)
        return;
    detach_evhttp(connection);
    connection_close(connection);
    if (piece_sent != NULL)
        piece_sent(connection->piece_argument, true);
}

/* The last reply is written and evhttp has let go. */
static void linger(struct connection *connection)
{
    if (connection->ending) {
        connection_close(connection);
        return;
    }
    connection->state = LINGERING;
    /* of a refused request much may be there, and its reservation ends now */
    (void)evbuffer_drain(connection->inbox, SIZE_MAX);
    (void)evbuffer_drain(bufferevent_get_input(connection->bev), SIZE_MAX);
    framing_free(&connection->framing);
    release_memory(connection);
    stream_end_writing(&connection->stream);
    connection->owner->unfinished(connection->context);
}

/* In state LINGERING. */
static void linger_on(struct connection *connection)
{
    struct stream *stream = &connection->stream;
    switch (stream_discard(stream)) {
    case STREAM_MORE:
        connection->owner->unfinished(connection->context);
        break;
    case STREAM_ENDED:
        /* a client that has only ended its side may still take what waits in the kernel */
        if (stream_unsent_bytes(stream) == 0 || stream_is_gone(stream))
            connection_close(connection);
        break;
    case STREAM_FAILED:
        connection_close(connection);
        break;
    case STREAM_DONE:
    case STREAM_BLOCKED:
        break;
    }
}

void connection_leave(struct connection *connection)
{
    /* The end of the last reply may still be in the kernel. When the server stops it is left there:
     * a client that acknowledges late would hold up the stop. */
    bool unsent = !connection->draining && stream_unsent_bytes(&connection->stream) > 0 &&
                  !stream_is_gone(&connection->stream);
    detach_evhttp(connection);
    if (unsent)
        linger(connection);
    else
        connection_close(connection);
}

void connection_refuse(struct connection *connection, const void *bytes, size_t length)
{
    /* All earlier replies are written, so this one fits; if not the client does not read anyway. */
    bool sent = stream_send_whole(&connection->stream, bytes, length);
    detach_evhttp(connection);
    if (sent)
        linger(connection);
    else
        connection_close(connection);
}

void connection_abort(struct connection *connection)
{
    stream_reset(&connection->stream);
    drop(connection);
}

/* One read into the inbox: for a body, whose memory is granted, of all that is missing. False if
 * there is nothing to read now. */
static bool receive(struct connection *connection)
{
    uint64_t missing = framing_missing(&connection->framing, connection->inbox);
    switch (stream_receive(&connection->stream, connection->inbox, missing)) {
    case STREAM_DONE:
    case STREAM_MORE:
        return true;
    case STREAM_ENDED:
        connection_leave(connection);
        return true;
    case STREAM_FAILED:
        drop(connection);
        return true;
    case STREAM_BLOCKED:
        break;
    }
    return false;
}

/* The whole reply is written: evhttp ends the request. */
static void finish_request(struct connection *connection)
{
    bufferevent_trigger(connection->bev, EV_WRITE, 0);
    connection->state = READING;
    release_memory(connection);
    if (connection->close_after_reply && !is_detached(connection))
        detach_evhttp(connection);
    if (is_detached(connection))
        linger(connection);
}

/* In state WRITING: true if the reply, or the piece, is written. */
static bool write_on(struct connection *connection)
{
    enum stream_result result =
        stream_write(&connection->stream, bufferevent_get_output(connection->bev));
    if (result != STREAM_DONE) {
        if (result == STREAM_FAILED)
            drop(connection);
        else if (connection->ending)
            connection_abort(connection);
        return false;
    }
    void (*piece_sent)(void *, bool) = connection->piece_sent;
    if (piece_sent == NULL) {
        finish_request(connection);
    } else if (connection->ending) {
        connection_abort(connection);
    } else {
        connection->piece_sent = NULL;
        connection->state = SERVING;
        piece_sent(connection->piece_argument, false);
    }
    return true;
}

/*
 * The client waits to be told to send its body. We say it, not evhttp, which would put it among
 * the replies. It is no loss if the socket is full: clients go on by themselves after a while.
 */
static void send_continue(struct connection *connection)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    connection->framing.owes_continue = false;
    if (stream_send_part(&connection->stream, go_on, sizeof(go_on) - 1))
        drop(connection); /* a part of it cannot be taken back */
}

static bool has_left(const struct connection *connection)
{
    return stream_has_hung_up(&connection->stream) || stream_is_gone(&connection->stream);
}

/* In state SERVING: true if a reply is under way now. */
static bool wait_on(struct connection *connection)
{
    void (*waiter)(void *) = connection->waiter;
    if (waiter == NULL ||
        !(connection->going_on ? connection->memory == MEMORY_GRANTED : has_left(connection)))
        return false;
    connection->waiter = NULL;
    connection->going_on = false;
    waiter(connection->waiter_argument);
    return connection->state != SERVING;
}

/* A whole request is in evhttp's input: lets evhttp read it. */
static void serve_request(struct connection *connection)
{
    connection->complete = false;
    connection->requests++;
    stream_request_received(&connection->stream);
    connection->owner->request_ready(connection->context);
    if (is_detached(connection))
        connection_close(connection);
    else if (connection->state == READING) /* evhttp disagrees with framing.c */
        connection->owner->request_refused(connection->context, 400,
                                           "the request was not understood");
}

/* In state READING. False if there is nothing to do now. */
static bool read_on(struct connection *connection)
{
    struct framing *framing = &connection->framing;
    if (!connection->complete) {
        struct framing_verdict verdict =
            framing_scan(framing, connection->inbox, bufferevent_get_input(connection->bev));
        if (verdict.refused != 0) {
            connection->owner->request_refused(connection->context, verdict.refused, verdict.why);
            return false;
        }
        connection->complete = verdict.complete;
    }
    bool has_head = connection->complete || framing->state != FRAMING_HEAD;
    if (has_head && !has_memory(connection))
        return false;
    if (connection->complete) {
        serve_request(connection);
        return true;
    }
    if (framing->owes_continue) {
        send_continue(connection);
        return true;
    }
    if (receive(connection))
        return true;
    if (connection->draining && !framing_midway(framing, connection->inbox))
        connection_leave(connection);
    return false;
}

void connection_run(struct connection *connection)
{
    bool on = true;
    connection->running = true;
    for (unsigned steps = 0; on && steps < STEPS_MAX; steps++) {
        switch (connection->state) {
        case READING:
            on = read_on(connection);
            break;
        case WRITING:
            on = write_on(connection);
            break;
        case LINGERING:
            linger_on(connection);
            on = false;
            break;
        case SERVING:
            on = wait_on(connection);
            break;
        case DEAD:
            on = false;
            break;
        }
    }
    connection->running = false;
    if (connection->state == DEAD)
        return;
    if (on)
        connection->owner->unfinished(connection->context);
    connection->owner->settled(connection->context);
}

static void on_stream_changed(void *context)
{
    struct connection *connection = context;
    connection_run(connection);
    /* nothing is read or written while it waits for memory, so nothing else would tell */
    if (connection->state == READING && connection->memory == MEMORY_WANTED &&
        stream_is_gone(&connection->stream))
        drop(connection);
}

/* evhttp has set the accepted socket on the bufferevent by now: take it away again. */
void connection_start(struct connection *connection)
{
    if (is_detached(connection)) { /* out of memory, and evhttp has closed the socket */
        connection_close(connection);
        return;
    }
    int fd = bufferevent_getfd(connection->bev);
    (void)bufferevent_setfd(connection->bev, -1);
    (void)bufferevent_enable(connection->bev, EV_READ);
    if (!stream_open(&connection->stream, connection->base, fd, on_stream_changed, connection))
        drop(connection);
    else
        connection->owner->settled(connection->context);
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
        drop(connection);
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
    release_memory(connection);
    connection->waiter = ended;
    connection->waiter_argument = argument;
    if (has_left(connection)) /* there is no other edge */
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
    (void)wait_on(connection);
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
