#include "net/connections.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <time.h>

static time_t monotonic_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* A piece is being written that is not worth waiting for. */
static bool is_overdue(const struct connection *connection)
{
    return connection->state == CONNECTION_WRITING && connection->then != NULL &&
           connection->set->options.overdue(connection->then_argument);
}

static void on_second(evutil_socket_t fd, short what, void *argument)
{
    struct connections *set = argument;
    struct connection *connection, *next;
    time_t now_s = monotonic_seconds();
    (void)fd;
    (void)what;
    for (connection = TAILQ_FIRST(&set->alive); connection != NULL; connection = next) {
        next = TAILQ_NEXT(connection, entry);
        if (is_overdue(connection))
            connection_abort(connection);
        else
            patience_look(&set->options.patience, connection, now_s);
    }
    if (set->count == 0)
        (void)event_del(set->second);
}

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
    TAILQ_INIT(&set->small_waiting);
    TAILQ_INIT(&set->large_waiting);
    set->budget.limit_bytes = options->buffered_bytes_max;
    set->second = event_new(options->base, -1, EV_PERSIST, on_second, set);
    if (set->second == NULL) {
        free(set);
        return NULL;
    }
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

static bool watch_the_clock(struct connections *set)
{
    static const struct timeval second = {.tv_sec = 1};
    return event_pending(set->second, EV_TIMEOUT, NULL) || event_add(set->second, &second) == 0;
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
    patience_begin(connection, monotonic_seconds());
    if (event_assign(&connection->event, set->options.base, connection->fd,
                     EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, connection_on_event,
                     connection) != 0 ||
        event_add(&connection->event, NULL) != 0 || !watch_the_clock(set))
        connection_fail(connection);
}

void connections_free(struct connections *set)
{
    struct connection *connection;
    if (set == NULL)
        return;
    while ((connection = TAILQ_FIRST(&set->born)) != NULL)
        adopt(connection);
    while ((connection = TAILQ_FIRST(&set->alive)) != NULL)
        connection_end(connection);
    bury_dead(set);
    event_free(set->second);
    free(set);
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

struct connection_list *connections_queue(struct connections *set, uint64_t body_bytes)
{
    return body_bytes < BUDGET_LARGE_BYTES ? &set->small_waiting : &set->large_waiting;
}

/*
 * Whoever is first goes on as soon as there is a share for it. Each of them once: who has another
 * request by then waits again, behind `last`, and its turn is the next one. That comes before the
 * loop sleeps, for it has given its share back while others waited. None goes on but the one at
 * hand, so `last` stays where it is until it is reached.
 */
static void let_in(struct connections *set, struct connection_list *queue)
{
    struct connection *connection, *last = TAILQ_LAST(queue, connection_list);
    bool more = last != NULL;
    while (more && (connection = TAILQ_FIRST(queue)) != NULL &&
           budget_take(&set->budget, connection->share_body_bytes)) {
        TAILQ_REMOVE(queue, connection, waiting_entry);
        connection->waiting = NULL;
        connection->has_share = true;
        more = connection != last;
        connection_advance(connection);
    }
}

void connections_turn(struct connections *set)
{
    struct connection *connection;
    while ((connection = TAILQ_FIRST(&set->born)) != NULL)
        adopt(connection);
    feed_hungry(set);
    set->shares_given = false; /* from here on: what is given now is for the next turn */
    let_in(set, &set->small_waiting);
    let_in(set, &set->large_waiting);
    bury_dead(set);
}

bool connections_may_sleep(const struct connections *set)
{
    return TAILQ_EMPTY(&set->hungry) && !set->shares_given;
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
