#include "http/connection.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "http/connections.h"
#include "http/status.h"

/* With libevent's chain header powers of two: the first read of a request, and the largest. */
#define READ_BYTES_MIN (4 * 1024 - 64)
#define READ_BYTES_MAX (256 * 1024 - 64)
/* So many reads or requests of one client in a row, then the others have their turn. */
#define STEPS_A_TURN 16
/* The client may still be sending when we close; that would reset the connection and could take the
 * last reply with it. So for so long we only end our side and throw away what comes. */
#define LINGER_SECONDS 2
#define REFUSAL_BYTES_MAX 512

bool connection_is_orphan(const struct connection *connection)
{
    bufferevent_event_cb event_cb;
    bufferevent_getcb(connection->bev, NULL, NULL, &event_cb, NULL);
    return event_cb == NULL;
}

static void become_hungry(struct connection *connection)
{
    if (connection->hungry)
        return;
    connection->hungry = true;
    connection->set->hungry_count++;
    TAILQ_INSERT_TAIL(&connection->set->hungry, connection, hungry_entry);
}

void connection_be_sated(struct connection *connection)
{
    if (!connection->hungry)
        return;
    connection->hungry = false;
    connection->set->hungry_count--;
    TAILQ_REMOVE(&connection->set->hungry, connection, hungry_entry);
}

void connection_end(struct connection *connection)
{
    struct connections *set = connection->set;
    if (connection->state == CONNECTION_DEAD)
        return;
    connection->state = CONNECTION_DEAD;
    if (connection->fd >= 0) {
        (void)event_del(&connection->event);
        (void)close(connection->fd);
    }
    connection_be_sated(connection);
    TAILQ_REMOVE(&set->alive, connection, entry);
    TAILQ_INSERT_TAIL(&set->dead, connection, entry);
    set->count--;
    set->options.count_changed(set->options.context, set->count);
}

void connection_fail(struct connection *connection)
{
    void (*then)(void *, bool) = connection->then;
    connection->then = NULL;
    if (connection->state == CONNECTION_DEAD)
        return;
    bufferevent_trigger_event(connection->bev, BEV_EVENT_READING | BEV_EVENT_EOF, 0);
    connection_end(connection);
    if (then != NULL)
        then(connection->then_argument, true);
}

static time_t monotonic_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void linger(struct connection *connection)
{
    static const struct timeval limit = {.tv_sec = LINGER_SECONDS};
    if (connection->set->ending) {
        connection_end(connection);
        return;
    }
    connection->state = CONNECTION_LINGERING;
    connection->linger_until = monotonic_seconds() + LINGER_SECONDS;
    (void)shutdown(connection->fd, SHUT_WR);
    if (event_add(&connection->event, &limit) != 0)
        connection_end(connection);
    else
        become_hungry(connection);
}

static void linger_on(struct connection *connection)
{
    /* each event restarts libevent's timer, so the time is ours to keep */
    if (monotonic_seconds() >= connection->linger_until) {
        connection_end(connection);
        return;
    }
    for (unsigned steps = 0; steps < STEPS_A_TURN; steps++) {
        ssize_t got = recv(connection->fd, connection->set->scratch, CONNECTIONS_SCRATCH_BYTES, 0);
        if (got > 0 || (got < 0 && errno == EINTR))
            continue;
        if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
            connection_end(connection);
        return;
    }
    become_hungry(connection);
}

/* Answers without evhttp, which has not seen the request or has not understood it. */
static void refuse(struct connection *connection, int status, const char *why)
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
    /* evhttp ends its side and, as it does so, our sending side of the socket */
    bufferevent_trigger_event(connection->bev, BEV_EVENT_READING | BEV_EVENT_EOF, 0);
    if (sent == length)
        linger(connection);
    else
        connection_end(connection);
}

/* Closes an idle connection. The end of the last reply may still wait in the kernel. */
static void leave(struct connection *connection)
{
    int unsent_bytes = 0;
    (void)ioctl(connection->fd, SIOCOUTQ, &unsent_bytes);
    bufferevent_trigger_event(connection->bev, BEV_EVENT_READING | BEV_EVENT_EOF, 0);
    if (unsent_bytes > 0)
        linger(connection);
    else
        connection_end(connection);
}

/* Room for the next read: what is known to be missing, but not much more than has come already. */
static int reserve(struct connection *connection, struct evbuffer_iovec room[2])
{
    size_t held = evbuffer_get_length(connection->inbox);
    uint64_t missing = framing_missing(&connection->framing, connection->inbox);
    size_t wanted = held < READ_BYTES_MAX ? held : READ_BYTES_MAX;
    if (missing < wanted)
        wanted = (size_t)missing;
    if (wanted < READ_BYTES_MIN)
        wanted = READ_BYTES_MIN;
    return evbuffer_reserve_space(connection->inbox, (ev_ssize_t)wanted, room, 2);
}

/* One read into the inbox. */
static void receive(struct connection *connection)
{
    struct evbuffer_iovec room[2];
    int rooms = reserve(connection, room);
    if (rooms <= 0) {
        connection_fail(connection);
        return;
    }
    size_t asked = room[0].iov_len + (rooms > 1 ? room[1].iov_len : 0);
    ssize_t got = readv(connection->fd, room, rooms);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        connection->readable = false;
    else if (got == 0 || (got < 0 && errno != EINTR))
        connection_fail(connection);
    if (got <= 0)
        return;
    connection->drained = (size_t)got < asked;
    if ((size_t)got < room[0].iov_len)
        room[0].iov_len = (size_t)got;
    if (rooms > 1)
        room[1].iov_len = (size_t)got - room[0].iov_len;
    (void)evbuffer_commit_space(connection->inbox, room, rooms);
}

/* Writes what is out. True if that is all, false if the socket is full or the client gone. */
static bool write_out(struct connection *connection)
{
    struct evbuffer *out = bufferevent_get_output(connection->bev);
    while (evbuffer_get_length(out) > 0) {
        if (evbuffer_write(out, connection->fd) >= 0 || errno == EINTR)
            continue;
        if ((errno != EAGAIN && errno != EWOULDBLOCK) || connection->set->ending)
            connection_fail(connection);
        return false;
    }
    return true;
}

/* In state WRITING: true if the reply, or the piece, is out. */
static bool write_on(struct connection *connection)
{
    if (!write_out(connection))
        return false;
    if (connection->then != NULL && connection->set->ending) {
        connection_fail(connection);
    } else if (connection->then != NULL) {
        void (*then)(void *, bool) = connection->then;
        connection->then = NULL;
        connection->state = CONNECTION_SERVING;
        then(connection->then_argument, false);
    } else {
        bufferevent_trigger(connection->bev, EV_WRITE, 0); /* evhttp ends the request */
        connection->state = CONNECTION_READING;
        if (connection_is_orphan(connection))
            linger(connection);
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
    ssize_t sent = send(connection->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL);
    if (sent > 0 && (size_t)sent < sizeof(go_on) - 1)
        connection_fail(connection);
}

/* Hands the first `bytes` bytes of the inbox to evhttp and lets it work. */
static void feed(struct connection *connection, size_t bytes, bool complete)
{
    struct connections *set = connection->set;
    /*
     * A request that is complete gets a reply, and writing that shows whether the client is still
     * there. So if the last read emptied the socket there is no need to look again; unless the
     * client has hung up, for what is there already brings no further edge.
     */
    if (complete && connection->drained && !connection->hung_up)
        connection->readable = false;
    connection->drained = false; /* it says nothing about what comes while this one is served */
    (void)evbuffer_remove_buffer(connection->inbox, bufferevent_get_input(connection->bev), bytes);
    set->current = connection;
    bufferevent_trigger(connection->bev, EV_READ, 0);
    set->current = NULL;
    if (connection_is_orphan(connection)) {
        connection_end(connection);
        return;
    }
    /* evhttp disagrees with framing.c, or has an error page ready of a kind that we do not send */
    struct evbuffer *out = bufferevent_get_output(connection->bev);
    if (connection->state == CONNECTION_READING && (complete || evbuffer_get_length(out) > 0))
        refuse(connection, 400, "the request was not understood");
}

/* In state READING. False if there is nothing to do now. */
static bool read_on(struct connection *connection)
{
    struct framing *framing = &connection->framing;
    struct framing_verdict verdict = framing_scan(framing, connection->inbox);
    if (verdict.refused != 0) {
        refuse(connection, verdict.refused, verdict.why);
        return false;
    }
    if (verdict.ready_bytes > 0) {
        feed(connection, verdict.ready_bytes, verdict.complete);
        return true;
    }
    if (framing->owes_continue) {
        send_continue(connection);
        return true;
    }
    if (connection->readable) {
        receive(connection);
        return true;
    }
    if (connection->set->draining && !framing_midway(framing, connection->inbox))
        leave(connection);
    return false;
}

void connection_advance(struct connection *connection)
{
    bool on = true;
    connection->advancing = true;
    for (unsigned steps = 0; on && steps < 2 * STEPS_A_TURN; steps++) {
        switch (connection->state) {
        case CONNECTION_READING:
            on = read_on(connection);
            break;
        case CONNECTION_WRITING:
            on = write_on(connection);
            break;
        case CONNECTION_LINGERING:
            linger_on(connection);
            on = false;
            break;
        case CONNECTION_SERVING:
        case CONNECTION_DEAD:
            on = false;
            break;
        }
    }
    connection->advancing = false;
    if (on && connection->state != CONNECTION_DEAD)
        become_hungry(connection);
}

void connection_on_event(evutil_socket_t fd, short what, void *argument)
{
    struct connection *connection = argument;
    (void)fd;
    if (what & (EV_READ | EV_CLOSED)) {
        connection->readable = true;
        connection->drained = false;
    }
    if (what & EV_CLOSED)
        connection->hung_up = true;
    connection_advance(connection);
}

bool connection_wants_close(const struct connection *connection)
{
    return connection->framing.wants_close || connection->set->draining;
}

void connection_send(struct connection *connection)
{
    connection->state = CONNECTION_WRITING;
    if (!connection->advancing)
        connection_advance(connection);
}

void connection_send_piece(struct connection *connection, void (*then)(void *argument, bool gone),
                           void *argument)
{
    connection->then = then;
    connection->then_argument = argument;
    connection_send(connection);
}

void connection_abort(struct connection *connection)
{
    /* Resets a TCP connection at once. A close would, with evhttp's shutdown before it, look like
     * the end of the reply to a client of HTTP/1.0. */
    static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    (void)connect(connection->fd, &nobody, sizeof(nobody));
    connection_fail(connection);
}
