#include "net/connection_steps.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "net/connection_closing.h"
#include "net/connection_state.h"
#include "net/reservations.h"

/* So many steps of one client in a row, then it is the turn of other connections. */
#define STEPS_MAX 32

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
        connection_drop(connection);
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
    connection_release_memory(connection);
    if (connection->close_after_reply && !connection_is_detached(connection))
        connection_detach_evhttp(connection);
    if (connection_is_detached(connection))
        connection_linger(connection);
}

/* In state WRITING: true if the reply, or the piece, is written. */
static bool write_on(struct connection *connection)
{
    enum stream_result result =
        stream_write(&connection->stream, bufferevent_get_output(connection->bev));
    if (result != STREAM_DONE) {
        if (result == STREAM_FAILED)
            connection_drop(connection);
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
        connection_drop(connection); /* a part of it cannot be taken back */
}

/* In state SERVING: true if a reply is under way now. */
bool connection_wait_on(struct connection *connection)
{
    void (*waiter)(void *) = connection->waiter;
    if (waiter == NULL || !(connection->going_on ? connection->memory == MEMORY_GRANTED
                                                 : connection_has_left(connection)))
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
    if (connection_is_detached(connection))
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
    if (connection_has_request(connection) && !has_memory(connection))
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
            connection_linger_on(connection);
            on = false;
            break;
        case SERVING:
            on = connection_wait_on(connection);
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
