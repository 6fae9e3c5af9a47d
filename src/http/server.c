#include "http/server.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net/connections.h"
#include "http/endpoints.h"
#include "net/framing.h"
#include "http/json.h"
#include "net/listener.h"
#include "base/log.h"
#include "http/reply.h"
#include "store/root.h"
#include "work/router.h"

/* How long a shutdown waits for clients, and then for the disk. */
#define STOP_SECONDS 5
#define STOP_DISK_SECONDS 1
#define LIMIT_TEXT_BYTES 96
#define EXIT_SIGNALLED_TWICE 3
#define NS_PER_SECOND 1000000000ULL

struct running_server {
    struct server server; /* first: handlers see only this */
    struct event_base *base;
    struct evhttp *http;
    struct connections *connections;
    struct listener *listener;
    struct event *woken, *terminate, *interrupt, *deadline;
    bool gave_up;
    struct framing_limit limits[3];
    char limit_texts[3][LIMIT_TEXT_BYTES];
};

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* evhttp has a whole request. */
static void on_request(struct evhttp_request *request, void *argument)
{
    struct running_server *running = argument;
    struct connection *connection = connections_take(running->connections);
    struct exchange *exchange =
        connection != NULL ? exchange_new(&running->server.free_exchanges) : NULL;
    if (exchange == NULL) {
        reply_out_of_memory(request, connection);
        return;
    }
    if (request->minor > 1)
        request->minor = 1; /* evhttp would answer in a version that we do not speak */
    exchange->server = &running->server;
    exchange->request = request;
    exchange->connection = connection;
    exchange->begun_ns = running->server.options.log_slower_ms >= 0 ? monotonic_ns() : 0;
    endpoints_dispatch(exchange);
}

static void on_count_changed(void *argument, unsigned count)
{
    struct running_server *running = argument;
    if (running->listener != NULL)
        listener_allow(running->listener, count < running->server.options.max_connections);
}

/* Nothing to do: the turn of the loop that this brings about collects the answers. */
static void on_woken(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    (void)argument;
}

static void on_deadline(evutil_socket_t fd, short what, void *argument)
{
    struct running_server *running = argument;
    static const struct timeval limit = {.tv_sec = STOP_DISK_SECONDS};
    unsigned clients = connections_count(running->connections);
    (void)fd;
    (void)what;
    if (running->connections->ending || clients == 0) {
        running->gave_up = true;
        return;
    }
    log_line("%u clients did not finish in %d s", clients, STOP_SECONDS);
    connections_end(running->connections);
    if (event_add(running->deadline, &limit) != 0)
        running->gave_up = true;
}

static void on_signal(evutil_socket_t signal_number, short what, void *argument)
{
    struct running_server *running = argument;
    static const struct timeval limit = {.tv_sec = STOP_SECONDS};
    (void)what;
    if (running->server.stopping) {
        log_line("second signal, exiting at once");
        _exit(EXIT_SIGNALLED_TWICE);
    }
    log_line("%s, stopping", strsignal((int)signal_number));
    running->server.stopping = true;
    listener_close(running->listener);
    running->listener = NULL;
    connections_drain(running->connections);
    if (event_add(running->deadline, &limit) != 0)
        running->gave_up = true;
}

static void on_libevent_log(int severity, const char *message)
{
    if (severity >= EVENT_LOG_WARN)
        log_line("libevent: %s", message);
}

static struct event_base *make_base(void)
{
    struct event_config *config = event_config_new();
    if (config == NULL)
        return NULL;
    /* Only this thread touches the base. No change list: it would take a socket out of epoll a turn
     * after it was closed, when a worker's file may have its number. */
    struct event_base *base = NULL;
    if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0 &&
        event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

/* Bodies that no endpoint takes are read as well, so that the reply can say what is wrong. */
static void set_limits(struct running_server *running)
{
    const uint64_t value = running->server.options.max_value_bytes,
                   offsets = GET_MULTI_BODY_BYTES_MAX;
    running->limits[0] = (struct framing_limit){.path = "/append", .body_bytes_max = value};
    running->limits[1] = (struct framing_limit){.path = "/getMulti", .body_bytes_max = offsets};
    running->limits[2] =
        (struct framing_limit){.path = NULL, .body_bytes_max = value > offsets ? value : offsets};
    for (size_t i = 0; i < sizeof(running->limits) / sizeof(running->limits[0]); i++) {
        (void)snprintf(running->limit_texts[i], LIMIT_TEXT_BYTES,
                       "the body is too large, the limit is %" PRIu64 " bytes",
                       running->limits[i].body_bytes_max);
        running->limits[i].why = running->limit_texts[i];
    }
}

static int make_http(struct running_server *running)
{
    set_limits(running);
    struct connections_options options = {
        .base = running->base,
        .limits = running->limits,
        .patience = running->server.options.patience,
        .buffered_bytes_max = running->server.options.max_buffered_bytes,
        .count_changed = on_count_changed,
        .overdue = reply_overdue,
        .context = running,
    };
    running->connections = connections_new(&options);
    running->http = evhttp_new(running->base);
    if (running->connections == NULL || running->http == NULL)
        return -ENOMEM;
    /* framing.c keeps the limits; this is the last line, and never reached */
    evhttp_set_max_headers_size(running->http, 2 * FRAMING_HEAD_BYTES_MAX);
    evhttp_set_max_body_size(running->http, (ev_ssize_t)running->limits[2].body_bytes_max);
    evhttp_set_allowed_methods(running->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                                  EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                                  EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
    evhttp_set_bevcb(running->http, connections_accept, running->connections);
    evhttp_set_gencb(running->http, on_request, running);
    return 0;
}

static void notice(const char *line)
{
    log_line("%s", line);
}

static int make_router(struct running_server *running)
{
    const struct server_options *options = &running->server.options;
    struct pool_options pool = {.root = options->root,
                                .workers = options->workers,
                                .max_in_flight = options->max_in_flight,
                                .buckets_if_new = options->buckets,
                                .max_files = options->max_files,
                                .sync_after_ms = options->sync_after_ms,
                                .write_behind_bytes = options->write_behind_bytes,
                                .notice = notice};
    return router_start(&pool, &running->server.router);
}

static int make_events(struct running_server *running)
{
    running->woken = event_new(running->base, router_event_fd(running->server.router),
                               EV_READ | EV_ET | EV_PERSIST, on_woken, running);
    running->terminate = evsignal_new(running->base, SIGTERM, on_signal, running);
    running->interrupt = evsignal_new(running->base, SIGINT, on_signal, running);
    running->deadline = evtimer_new(running->base, on_deadline, running);
    if (running->woken == NULL || running->terminate == NULL || running->interrupt == NULL ||
        running->deadline == NULL || event_add(running->woken, NULL) != 0 ||
        event_add(running->terminate, NULL) != 0 || event_add(running->interrupt, NULL) != 0)
        return -ENOMEM;
    return 0;
}

static int make_root_json(struct running_server *running)
{
    const char *path = root_path(running->server.options.root);
    running->server.root_json = malloc(JSON_BYTES_MAX(strlen(path)));
    if (running->server.root_json == NULL)
        return -ENOMEM;
    json_escape(path, running->server.root_json);
    return 0;
}

static int make_all(struct running_server *running, const char **step)
{
    *step = "cannot make an event loop";
    running->base = make_base();
    if (running->base == NULL)
        return -ENOMEM;
    int error = make_http(running);
    if (error == 0)
        error = make_root_json(running);
    *step = "cannot start the workers";
    if (error == 0)
        error = make_router(running);
    if (error == 0)
        error = make_events(running);
    *step = "cannot listen on";
    if (error == 0)
        error = listener_open(running->server.options.bind, running->base, running->http,
                              &running->listener);
    return error;
}

int server_start(const struct server_options *options, struct server **out)
{
    const char *step;
    struct running_server *running = calloc(1, sizeof(*running));
    if (running == NULL)
        return -ENOMEM;
    running->server.options = *options;
    event_set_log_callback(on_libevent_log);
    int error = make_all(running, &step);
    if (error != 0) {
        log_line("%s %s: %s", step, options->bind, strerror(-error));
        server_stop(&running->server);
        return error;
    }
    log_line("starting http server on %s", listener_name(running->listener));
    *out = &running->server;
    return 0;
}

static bool finished(const struct running_server *running)
{
    return running->server.stopping &&
           (running->gave_up || (connections_count(running->connections) == 0 &&
                                 router_in_flight(running->server.router) == 0));
}

void server_turn(struct server *server, bool may_sleep)
{
    struct running_server *running = (struct running_server *)server;
    may_sleep = may_sleep && connections_may_sleep(running->connections) &&
                router_may_sleep(server->router);
    int result = event_base_loop(running->base, EVLOOP_ONCE | (may_sleep ? 0 : EVLOOP_NONBLOCK));
    router_awake(server->router);
    if (result < 0) {
        log_line("event loop: %s", strerror(errno));
        _exit(EXIT_FAILURE);
    }
    connections_turn(running->connections);
    router_collect(server->router);
    router_wake(server->router);
}

void server_run(struct server *server)
{
    struct running_server *running = (struct running_server *)server;
    while (!finished(running))
        server_turn(server, true);
    if (router_in_flight(server->router) > 0) {
        log_line("the disk holds up %u requests; not waiting", router_in_flight(server->router));
        _exit(EXIT_FAILURE);
    }
}

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

static void exit_at_once(int signal_number)
{
    (void)signal_number;
    _exit(EXIT_SIGNALLED_TWICE);
}

/* From here on no loop looks at signals, and the last syncs may take their time. */
static void leave_signals(struct running_server *running)
{
    struct event **events[] = {&running->terminate, &running->interrupt};
    static const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (*events[i] == NULL)
            continue;
        event_free(*events[i]); /* gives the signal back, so ours comes after it */
        *events[i] = NULL;
        (void)signal(signals[i], exit_at_once);
    }
}

void server_stop(struct server *server)
{
    struct running_server *running = (struct running_server *)server;
    listener_close(running->listener);
    running->listener = NULL;
    if (running->http != NULL)
        evhttp_free(running->http);
    connections_free(running->connections);
    free_event(running->woken); /* before its descriptor is closed */
    leave_signals(running);
    router_stop(server->router);
    free_event(running->deadline);
    if (running->base != NULL)
        event_base_free(running->base);
    libevent_global_shutdown();
    exchange_list_clear(&server->free_exchanges);
    free(server->root_json);
    free(running);
}
