#include "net/connection.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/connections.h"
#include "net/farewell.h"

/* With libevent's chain header powers of two: the first read of a request, and the largest. */
#define READ_BYTES_MIN (4 * 1024 - 64)
#define READ_BYTES_MAX (256 * 1024 - 64)
/* So many reads or requests of one client in a row, then the others have their turn. */
#define STEPS_A_TURN 16

bool connection_is_orphan(const struct connection *connection)
{
    bufferevent_event_cb event_cb;
    bufferevent_getcb(connection->bev, NULL, NULL, &event_cb, NULL);
    return event_cb == NULL;
}

void connection_become_hungry(struct connection *connection)
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

void connection_give_share(struct connection *connection)
{
    struct connections *set = connection->set;
    if (connection->waiting != NULL) {
        TAILQ_REMOVE(connection->waiting, connection, waiting_entry);
        connection->waiting = NULL;
    }
    if (!connection->has_share)
        return;
    connection->has_share = false;
    budget_give(&set->budget, connection->share_body_bytes);
    set->shares_given = !TAILQ_EMPTY(&set->small_waiting) || !TAILQ_EMPTY(&set->large_waiting);
}

/* True if the request at hand may be in memory as a whole; otherwise it waits for that. */
static bool has_share(struct connection *connection)
{
    struct connections *set = connection->set;
    if (connection->has_share || connection->waiting != NULL)
        return connection->has_share;
    connection->share_body_bytes = framing_body_bytes(&connection->framing);
    struct connection_list *queue = connections_queue(set, connection->share_body_bytes);
    connection->has_share =
        TAILQ_EMPTY(queue) && budget_take(&set->budget, connection->share_body_bytes);
    if (!connection->has_share) {
        connection->waiting = queue;
        TAILQ_INSERT_TAIL(queue, connection, waiting_entry);
    }
    return connection->has_share;
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
    connection_give_share(connection);
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

/* Room for the next read: for a body, which has its share of memory, all that is missing. */
static int reserve(struct connection *connection, struct evbuffer_iovec room[2])
{
    uint64_t missing = framing_missing(&connection->framing, connection->inbox);
    size_t wanted = missing < READ_BYTES_MAX ? (size_t)missing : READ_BYTES_MAX;
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
    else if (got == 0)
        farewell_leave(connection);
    else if (got < 0 && errno != EINTR)
        connection_fail(connection);
    if (got <= 0)
        return;
    connection->received_bytes += (uint64_t)got;
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
        int written = evbuffer_write(out, connection->fd);
        connection->written_bytes += written > 0 ? (uint64_t)written : 0;
        if (written >= 0 || errno == EINTR)
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
        connection_give_share(connection);
        if (connection_is_orphan(connection))
            farewell_linger(connection);
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
    connection->requests += complete;
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
        farewell_refuse(connection, 400, "the request was not understood");
}

/* In state READING. False if there is nothing to do now. */
static bool read_on(struct connection *connection)
{
    struct framing *framing = &connection->framing;
    struct framing_verdict verdict = connection->held;
    if (verdict.ready_bytes == 0)
        verdict = framing_scan(framing, connection->inbox);
    if (verdict.refused != 0) {
        farewell_refuse(connection, verdict.refused, verdict.why);
        return false;
    }
    bool head_is_in = verdict.ready_bytes > 0 || framing->state != FRAMING_HEAD;
    connection->held = (struct framing_verdict){0};
    if (head_is_in && !has_share(connection)) {
        connection->held = verdict;
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
        farewell_leave(connection);
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
            if (farewell_linger_on(connection))
                connection_become_hungry(connection);
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
        connection_become_hungry(connection);
}

/* Reset, or closed both ways; not one that has only ended its side and still wants its replies. */
static bool is_gone(int fd)
{
    struct pollfd asked = {.fd = fd};
    return poll(&asked, 1, 0) > 0 && (asked.revents & (POLLHUP | POLLERR)) != 0;
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
    /* Nothing is read or written while it waits for memory, so nothing else would tell; nor would a
     * later event, if it came to wait just now. */
    if (connection->waiting != NULL && is_gone(connection->fd))
        connection_fail(connection);
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
