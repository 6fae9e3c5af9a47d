#include "net/farewell.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "net/connections.h"
#include "http/status.h"

#define REFUSAL_BYTES_MAX 512
/* So many reads in a row, then the other clients have their turn. */
#define READS_A_TURN 16

void farewell_linger(struct connection *connection)
{
    if (connection->set->ending) {
        connection_end(connection);
        return;
    }
    connection->state = CONNECTION_LINGERING; /* the end of it is for patience.c */
    (void)evbuffer_drain(connection->inbox, evbuffer_get_length(connection->inbox));
    connection_give_share(connection);
    (void)shutdown(connection->fd, SHUT_WR);
    connection_become_hungry(connection);
}

uint64_t farewell_unsent_bytes(const struct connection *connection)
{
    int bytes = 0;
    (void)ioctl(connection->fd, SIOCOUTQ, &bytes);
    return (uint64_t)bytes;
}

bool farewell_linger_on(struct connection *connection)
{
    for (unsigned reads = 0; reads < READS_A_TURN; reads++) {
        ssize_t got = recv(connection->fd, connection->set->scratch, CONNECTIONS_SCRATCH_BYTES, 0);
        if (got > 0 || (got < 0 && errno == EINTR))
            continue;
        /* a client that only has ended its side may still take what waits in the kernel */
        if (got == 0 ? farewell_unsent_bytes(connection) == 0
                     : errno != EAGAIN && errno != EWOULDBLOCK)
            connection_end(connection);
        return false;
    }
    return true;
}

/* evhttp ends its side and, as it does so, our sending side of the socket. */
static void dismiss_evhttp(struct connection *connection)
{
    bufferevent_trigger_event(connection->bev, BEV_EVENT_READING | BEV_EVENT_EOF, 0);
}

void farewell_refuse(struct connection *connection, int status, const char *why)
{
    char reply[REFUSAL_BYTES_MAX];
    int length = snprintf(reply, sizeof(reply),
                          "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                          "%s%sConnection: close\r\n\r\n%s\n",
                          status, status_reason(status), strlen(why) + 1,
                          status == 405 ? "Allow: GET, HEAD, POST\r\n" : "",
                          status == 503 ? "Retry-After: 1\r\n" : "", why);
    /* All earlier replies are out, so this one fits; if not the client does not read anyway. */
    ssize_t sent = send(connection->fd, reply, (size_t)length, MSG_NOSIGNAL);
    dismiss_evhttp(connection);
    if (sent == length)
        farewell_linger(connection);
    else
        connection_end(connection);
}

void farewell_leave(struct connection *connection)
{
    bool unsent =
        farewell_unsent_bytes(connection) > 0; /* the end of the last reply, in the kernel */
    dismiss_evhttp(connection);
    if (unsent)
        farewell_linger(connection);
    else
        connection_end(connection);
}
