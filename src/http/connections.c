#include "http/connections.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>

struct connections *connections_new(const struct connections_options *options)
{
    struct connections *set = calloc(1, sizeof(*set));
    if (set == NULL)
        return NULL;
    set->options = *options;
    TAILQ_INIT(&set->born);
    TAILQ_INIT(&set->alive);
    TAILQ_INIT(&set->dead);
    TAILQ_INIT(&set->hungry);
    return set;
}

static void free_connection(struct connection *connection)
{
    if (connection->inbox != NULL)
        evbuffer_free(connection->inbox);
    if (connection->bev != NULL)
        bufferevent_decref(connection->bev);
    free(connection);
}

static void bury_dead(struct connections *set)
{
    struct connection *connection;
    while ((connection = TAILQ_FIRST(&set->dead)) != NULL) {
        TAILQ_REMOVE(&set->dead, connection, entry);
        free_connection(connection);
    }
}

void connections_free(struct connections *set)
{
    struct connection *connection;
    if (set == NULL)
        return;
    connections_turn(set);
    while ((connection = TAILQ_FIRST(&set->alive)) != NULL)
        connection_end(connection);
    bury_dead(set);
    free(set);
}

struct bufferevent *connections_accept(struct event_base *base, void *argument)
{
    struct connections *set = argument;
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return NULL;
    connection->inbox = evbuffer_new();
    /* With this option evhttp leaves closing the socket to the bufferevent, that is to us. */
    connection->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (connection->inbox == NULL || connection->bev == NULL) {
        free_connection(connection);
        return NULL;
    }
    bufferevent_incref(connection->bev);
    connection->set = set;
    connection->fd = -1;
    framing_init(&connection->framing, set->options.limits);
    TAILQ_INSERT_TAIL(&set->born, connection, entry);
    set->count++;
    set->options.count_changed(set->options.context, set->count);
    return connection->bev;
}

/* evhttp has set the accepted socket on the bufferevent by now: take it away again. */
static void adopt(struct connection *connection)
{
    struct connections *set = connection->set;
    TAILQ_REMOVE(&set->born, connection, entry);
    TAILQ_INSERT_TAIL(&set->alive, connection, entry);
    if (connection_is_orphan(connection)) { /* out of memory, and evhttp has closed the socket */
        connection_end(connection);
        return;
    }
    connection->fd = bufferevent_getfd(connection->bev);
    (void)bufferevent_setfd(connection->bev, -1);
    (void)bufferevent_enable(connection->bev, EV_READ);
    if (event_assign(&connection->event, set->options.base, connection->fd,
                     EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, connection_on_event,
                     connection) != 0 ||
        event_add(&connection->event, NULL) != 0)
        connection_fail(connection);
}

/* Each of them once: what is hungry again waits for the next turn. */
static void feed_hungry(struct connections *set)
{
    struct connection *connection;
    unsigned now = set->hungry_count;
    while (now-- > 0 && (connection = TAILQ_FIRST(&set->hungry)) != NULL) {
        connection_be_sated(connection);
        connection_advance(connection);
    }
}

void connections_turn(struct connections *set)
{
    struct connection *connection;
    while ((connection = TAILQ_FIRST(&set->born)) != NULL)
        adopt(connection);
    feed_hungry(set);
    bury_dead(set);
}

bool connections_may_sleep(const struct connections *set)
{
    return TAILQ_EMPTY(&set->hungry);
}

unsigned connections_count(const struct connections *set)
{
    return set->count;
}

struct connection *connections_take(struct connections *set)
{
    if (set->current != NULL)
        set->current->state = CONNECTION_SERVING;
    return set->current;
}

void connections_drain(struct connections *set)
{
    struct connection *connection, *next;
    set->draining = true;
    for (connection = TAILQ_FIRST(&set->alive); connection != NULL; connection = next) {
        next = TAILQ_NEXT(connection, entry);
        connection_advance(connection);
    }
}

void connections_end(struct connections *set)
{
    struct connection *connection, *next;
    set->ending = true;
    for (connection = TAILQ_FIRST(&set->alive); connection != NULL; connection = next) {
        next = TAILQ_NEXT(connection, entry);
        if (connection->state == CONNECTION_LINGERING)
            connection_end(connection);
        else if (connection->state != CONNECTION_SERVING)
            connection_fail(connection);
    }
}
