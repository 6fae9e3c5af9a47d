#include "net/connection_closing.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "net/connection_state.h"

/* evhttp has freed its side. It does so inside many of its functions, and only this tells. */
bool connection_is_detached(const struct connection *connection)
{
    bufferevent_event_cb event_cb;
    bufferevent_getcb(connection->bev, NULL, NULL, &event_cb, NULL);
    return event_cb == NULL;
}

void connection_release_memory(struct connection *connection)
{
    if (connection->memory == MEMORY_NONE)
        return;
    connection->memory = MEMORY_NONE;
    connection->granted_bytes = 0;
    connection->owner->memory_released(connection->context);
}

/* Tells evhttp that the client has gone. It frees its side and, before that, ends our sending side
 * of the socket. */
void connection_detach_evhttp(struct connection *connection)
{
    bufferevent_trigger_event(connection->bev, BEV_EVENT_READING | BEV_EVENT_EOF, 0);
}

void connection_close(struct connection *connection)
{
    if (connection->state == DEAD)
        return;
    connection->state = DEAD;
    stream_close(&connection->stream);
    connection_release_memory(connection);
    connection->owner->closed(connection->context);
}

/* The socket has failed, or nobody waits for it any more. */
static void report_lost(struct connection *connection)
{
    if (connection->state == READING && connection_has_request(connection))
        connection->owner->request_lost(connection->context);
}

void connection_drop(struct connection *connection)
{
    void (*piece_sent)(void *, bool) = connection->piece_sent;
    connection->piece_sent = NULL;
    if (connection->state == DEAD)
        return;
    report_lost(connection);
    connection_detach_evhttp(connection);
    connection_close(connection);
    if (piece_sent != NULL)
        piece_sent(connection->piece_argument, true);
}

/* The last reply is written and evhttp has let go. */
void connection_linger(struct connection *connection)
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
    connection_release_memory(connection);
    stream_end_writing(&connection->stream);
    connection->owner->unfinished(connection->context);
}

/* In state LINGERING. */
void connection_linger_on(struct connection *connection)
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
    report_lost(connection);
    connection_detach_evhttp(connection);
    if (unsent)
        connection_linger(connection);
    else
        connection_close(connection);
}

void connection_refuse(struct connection *connection, const void *bytes, size_t length)
{
    /* All earlier replies are written, so this one fits; if not the client does not read anyway. */
    bool sent = stream_send_whole(&connection->stream, bytes, length);
    connection_detach_evhttp(connection);
    if (sent)
        connection_linger(connection);
    else
        connection_close(connection);
}

void connection_abort(struct connection *connection)
{
    stream_reset(&connection->stream);
    connection_drop(connection);
}
