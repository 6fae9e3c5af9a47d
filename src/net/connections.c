#include "net/connections.h"

#include <event2/event.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "net/reservations.h"

/* The lists of connections to check, by length of time. In each the first is due first. */
enum timer_list { TIMER_IDLE, TIMER_HEAD, TIMER_SECOND, TIMER_LISTS };

struct timer {
    enum timeouts_phase phase;
    unsigned requests; /* complete ones when the phase began */
    uint64_t begun_ms, due_ms;
    bool measuring; /* an interval has begun */
    uint64_t interval_begun_ms, interval_moved_bytes;
    uint64_t paused_ms; /* since then the next piece of the reply is awaited; 0: it is not */
    uint64_t begun_received_bytes, checked_received_bytes; /* so far, at these times */
};

TAILQ_HEAD(client_list, client);

struct client {
    TAILQ_ENTRY(client) entry, ready_entry, timer_entry;
    struct connections *connections;
    struct connection *connection;
    bool ready;                /* on the ready list */
    struct client_list *timed; /* in this list; NULL if no limit runs */
    struct reservation reservation;
    struct timer timer;
};

struct connections {
    struct connections_options options;
    struct client_list pending; /* accepted by evhttp, their sockets not taken over yet */
    struct client_list open, closed, ready;
    struct client_list timers[TIMER_LISTS];
    struct reservations reservations;
    struct event *tick; /* pending while there are connections */
    uint64_t now_ms;    /* of this loop iteration; 0 if not read yet */
    unsigned count, ready_count;
    bool draining, ending;
    struct client *current; /* evhttp reads a request of it */
};

static uint64_t now_ms(struct connections *connections)
{
    if (connections->now_ms == 0)
        connections->now_ms = clock_monotonic_ns() / CLOCK_NS_PER_MS;
    return connections->now_ms;
}

static void unset_timer(struct client *client)
{
    if (client->timed != NULL)
        TAILQ_REMOVE(client->timed, client, timer_entry);
    client->timed = NULL;
}

static void set_timer(struct client *client)
{
    static const enum timer_list lists[TIMEOUTS_PHASES] = {[TIMEOUTS_IDLE] = TIMER_IDLE,
                                                           [TIMEOUTS_HEAD] = TIMER_HEAD,
                                                           [TIMEOUTS_BODY] = TIMER_SECOND,
                                                           [TIMEOUTS_REPLY] = TIMER_SECOND,
                                                           [TIMEOUTS_LINGER] = TIMER_SECOND};
    struct connections *connections = client->connections;
    struct timer *timer = &client->timer;
    uint64_t after_ms = timeouts_check_after_ms(&connections->options.timeouts, timer->phase);
    unset_timer(client);
    if (after_ms == TIMEOUTS_NEVER)
        return;
    timer->due_ms = now_ms(connections) + after_ms;
    client->timed = &connections->timers[lists[timer->phase]];
    TAILQ_INSERT_TAIL(client->timed, client, timer_entry);
}

/*
 * Between two pieces of a reply the interval is paused. It does not end there: otherwise a client
 * that takes each piece before the first check would never be measured.
 */
static void pause_interval(struct timer *timer, bool paused, uint64_t now)
{
    if (paused && timer->paused_ms == 0)
        timer->paused_ms = now;
    if (paused || timer->paused_ms == 0)
        return;
    timer->interval_begun_ms += now - timer->paused_ms;
    timer->paused_ms = 0;
}

static void on_settled(void *context)
{
    struct client *client = context;
    struct timer *timer = &client->timer;
    enum timeouts_phase phase = connection_phase(client->connection);
    unsigned requests = connection_requests(client->connection);
    if (requests == timer->requests && timer->phase == TIMEOUTS_REPLY &&
        (phase == TIMEOUTS_REPLY || phase == TIMEOUTS_NONE)) {
        pause_interval(timer, phase == TIMEOUTS_NONE, now_ms(client->connections));
        return;
    }
    if (phase == timer->phase && requests == timer->requests)
        return;
    uint64_t received_bytes = connection_received_bytes(client->connection);
    *timer = (struct timer){.phase = phase,
                            .requests = requests,
                            .begun_ms = now_ms(client->connections),
                            .begun_received_bytes = received_bytes,
                            .checked_received_bytes = received_bytes};
    set_timer(client);
}

/* Since the request began to arrive. */
static uint64_t elapsed_ms(struct client *client)
{
    if (client->timer.phase != TIMEOUTS_HEAD && client->timer.phase != TIMEOUTS_BODY)
        return 0;
    return now_ms(client->connections) - client->timer.begun_ms;
}

static void refuse_client(struct client *client, int status, const char *why)
{
    struct connections *connections = client->connections;
    struct connections_refusal refusal = {
        .status = status, .why = why, .elapsed_ms = elapsed_ms(client)};
    connections->options.refused(connections->options.context, client->connection, &refusal);
}

static void on_request_refused(void *context, int status, const char *why)
{
    refuse_client(context, status, why);
}

static void on_request_lost(void *context)
{
    struct client *client = context;
    const struct connections_options *options = &client->connections->options;
    if (options->lost != NULL)
        options->lost(options->context, client->connection, elapsed_ms(client));
}

/* The bytes that moved are asked for here and not when the phase begins: that costs a call to the
 * kernel, and most phases are over before their first check. */
static void begin_interval(struct client *client)
{
    client->timer.measuring = true;
    client->timer.interval_begun_ms = now_ms(client->connections);
    client->timer.interval_moved_bytes = connection_moved_bytes(client->connection);
}

static struct timeouts_input timeouts_input_of(struct client *client)
{
    struct timer *timer = &client->timer;
    uint64_t now = now_ms(client->connections),
             received_bytes = connection_received_bytes(client->connection);
    struct timeouts_input input = {.phase = timer->phase,
                                   .phase_ms = now - timer->begun_ms,
                                   .arrived_bytes = received_bytes - timer->begun_received_bytes,
                                   .arriving = received_bytes > timer->checked_received_bytes,
                                   .memory_wanted =
                                       reservations_wanted(&client->connections->reservations)};
    timer->checked_received_bytes = received_bytes;
    if (timer->measuring) {
        input.interval_ms = now - timer->interval_begun_ms;
        input.moved_bytes =
            connection_moved_bytes(client->connection) - timer->interval_moved_bytes;
    }
    if (timer->phase == TIMEOUTS_LINGER)
        input.unsent_bytes = connection_unsent_bytes(client->connection);
    input.reserved_bytes =
        reservations_bytes(&client->connections->reservations, &client->reservation);
    input.reserved_ms = now - client->reservation.since_ms;
    return input;
}

static void check_timeouts(struct client *client)
{
    const struct connections_options *options = &client->connections->options;
    struct connection *connection = client->connection;
    const void *piece = connection_piece(connection);
    if (client->timer.paused_ms != 0) {
        set_timer(client);
        return;
    }
    if (piece != NULL && client->timer.phase == TIMEOUTS_REPLY && options->piece_overdue != NULL &&
        options->piece_overdue(piece)) {
        connection_abort(connection);
        return;
    }
    struct timeouts_input input = timeouts_input_of(client);
    struct timeouts_verdict verdict = timeouts_check(&options->timeouts, &input);
    switch (verdict.action) {
    case TIMEOUTS_CLOSE:
        connection_leave(connection);
        return;
    case TIMEOUTS_REFUSE:
        refuse_client(client, 408, verdict.why);
        return;
    case TIMEOUTS_RESET:
        connection_abort(connection);
        return;
    case TIMEOUTS_NEXT_INTERVAL:
        begin_interval(client);
        break;
    case TIMEOUTS_WAIT:
        if (!client->timer.measuring)
            begin_interval(client);
        break;
    }
    set_timer(client);
}

static void on_tick(evutil_socket_t fd, short what, void *argument)
{
    struct connections *connections = argument;
    (void)fd;
    (void)what;
    for (unsigned list = 0; list < TIMER_LISTS; list++) {
        struct client *client;
        while ((client = TAILQ_FIRST(&connections->timers[list])) != NULL &&
               client->timer.due_ms <= now_ms(connections)) {
            unset_timer(client);
            check_timeouts(client); /* it is not due again in this tick */
        }
    }
    if (connections->count == 0)
        (void)event_del(connections->tick);
}

static bool on_memory_wanted(void *context, uint64_t body_bytes, uint64_t body_bytes_max)
{
    struct client *client = context;
    struct connections *connections = client->connections;
    bool granted = reservations_want(&connections->reservations, &client->reservation, body_bytes,
                                     body_bytes_max, now_ms(connections));
    if (!granted && connections->options.memory_awaited != NULL)
        connections->options.memory_awaited(connections->options.context);
    return granted;
}

static void on_memory_released(void *context)
{
    struct client *client = context;
    reservations_release(&client->connections->reservations, &client->reservation);
}

static void on_memory_granted(struct reservation *reservation)
{
    struct client *client =
        (struct client *)((char *)reservation - offsetof(struct client, reservation));
    connection_memory_granted(client->connection);
}

static void on_unfinished(void *context)
{
    struct client *client = context;
    if (client->ready)
        return;
    client->ready = true;
    client->connections->ready_count++;
    TAILQ_INSERT_TAIL(&client->connections->ready, client, ready_entry);
}

static void unschedule(struct client *client)
{
    if (!client->ready)
        return;
    client->ready = false;
    client->connections->ready_count--;
    TAILQ_REMOVE(&client->connections->ready, client, ready_entry);
}

static void on_closed(void *context)
{
    struct client *client = context;
    struct connections *connections = client->connections;
    unschedule(client);
    unset_timer(client);
    TAILQ_REMOVE(&connections->open, client, entry);
    TAILQ_INSERT_TAIL(&connections->closed, client, entry);
    connections->count--;
    connections->options.count_changed(connections->options.context, connections->count);
}

static void on_request_ready(void *context)
{
    struct client *client = context;
    client->connections->current = client;
    connection_feed_evhttp(client->connection);
    client->connections->current = NULL;
}

static const struct connection_owner owner = {.request_ready = on_request_ready,
                                              .request_refused = on_request_refused,
                                              .request_lost = on_request_lost,
                                              .memory_wanted = on_memory_wanted,
                                              .memory_released = on_memory_released,
                                              .unfinished = on_unfinished,
                                              .settled = on_settled,
                                              .closed = on_closed};

struct connections *connections_new(const struct connections_options *options)
{
    struct connections *connections = calloc(1, sizeof(*connections));
    if (connections == NULL)
        return NULL;
    connections->options = *options;
    TAILQ_INIT(&connections->pending);
    TAILQ_INIT(&connections->open);
    TAILQ_INIT(&connections->closed);
    TAILQ_INIT(&connections->ready);
    for (unsigned list = 0; list < TIMER_LISTS; list++)
        TAILQ_INIT(&connections->timers[list]);
    reservations_init(&connections->reservations, options->buffered_bytes_max,
                      options->reply_bytes_max);
    connections->tick = event_new(options->base, -1, EV_PERSIST, on_tick, connections);
    if (connections->tick == NULL) {
        free(connections);
        return NULL;
    }
    return connections;
}

struct bufferevent *connections_accept(struct event_base *base, void *argument)
{
    struct connections *connections = argument;
    struct client *client = calloc(1, sizeof(*client));
    if (client == NULL)
        return NULL;
    client->connections = connections;
    client->reservation.granted = on_memory_granted;
    client->connection = connection_new(base, connections->options.rules, &owner, client);
    if (client->connection == NULL) {
        free(client);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&connections->pending, client, entry);
    connections->count++;
    connections->options.count_changed(connections->options.context, connections->count);
    return connection_bufferevent(client->connection);
}

static bool start_tick(struct connections *connections)
{
    static const struct timeval second = {.tv_sec = 1};
    return event_pending(connections->tick, EV_TIMEOUT, NULL) ||
           event_add(connections->tick, &second) == 0;
}

static void start_pending(struct connections *connections)
{
    struct client *client;
    while ((client = TAILQ_FIRST(&connections->pending)) != NULL) {
        TAILQ_REMOVE(&connections->pending, client, entry);
        TAILQ_INSERT_TAIL(&connections->open, client, entry);
        connection_start(client->connection);
        if (connections->options.peers_wanted)
            connection_learn_peer(client->connection);
        if (!start_tick(connections))
            connection_abort(client->connection); /* no limit would run */
        if (connections->draining)
            connection_drain(client->connection);
        if (connections->ending)
            connection_end(client->connection);
    }
}

/* Each of them once: those that are unfinished again wait for the next loop iteration. */
static void run_ready(struct connections *connections)
{
    struct client *client;
    unsigned left = connections->ready_count;
    while (left-- > 0 && (client = TAILQ_FIRST(&connections->ready)) != NULL) {
        unschedule(client);
        connection_run(client->connection);
    }
}

static void reap(struct connections *connections)
{
    struct client *client;
    while ((client = TAILQ_FIRST(&connections->closed)) != NULL) {
        TAILQ_REMOVE(&connections->closed, client, entry);
        connection_free(client->connection);
        free(client);
    }
}

void connections_run(struct connections *connections)
{
    start_pending(connections);
    run_ready(connections);
    if (reservations_wanted(&connections->reservations))
        reservations_grant(&connections->reservations, now_ms(connections));
    reap(connections);
}

bool connections_may_sleep(struct connections *connections)
{
    connections->now_ms = 0; /* it will be another time */
    return TAILQ_EMPTY(&connections->ready) && !reservations_released(&connections->reservations);
}

unsigned connections_count(const struct connections *connections)
{
    return connections->count;
}

uint64_t connections_reserved_bytes(const struct connections *connections)
{
    return connections->reservations.budget.used_bytes;
}

struct connection *connections_serve(struct connections *connections)
{
    if (connections->current == NULL)
        return NULL;
    connection_serve(connections->current->connection);
    return connections->current->connection;
}

static void for_each_open(struct connections *connections, void (*act)(struct connection *))
{
    struct client *client, *next;
    for (client = TAILQ_FIRST(&connections->open); client != NULL; client = next) {
        next = TAILQ_NEXT(client, entry);
        act(client->connection);
    }
}

void connections_drain(struct connections *connections)
{
    connections->draining = true;
    for_each_open(connections, connection_drain);
}

void connections_end(struct connections *connections)
{
    connections->ending = true;
    for_each_open(connections, connection_end);
}

bool connections_ending(const struct connections *connections)
{
    return connections->ending;
}

void connections_free(struct connections *connections)
{
    if (connections == NULL)
        return;
    start_pending(connections);
    for_each_open(connections, connection_close);
    reap(connections);
    event_free(connections->tick);
    free(connections);
}
