#include "http/server.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/service_manager.h"
#include "http/access_log.h"
#include "http/event_loop.h"
#include "http/frontend.h"
#include "http/listening.h"
#include "http/service.h"
#include "http/shutdown.h"
#include "http/token_file.h"
#include "http/upkeep.h"
#include "net/connections.h"
#include "net/listener.h"
#include "store/root.h"
#include "work/router.h"

struct server {
    struct server_options options;
    struct service service;
    struct event_base *base;
    struct frontend frontend;
    struct listener *listener;
    struct pool *pool;
    struct event *woken, *hangup;
    struct upkeep upkeep;
    struct shutdown shutdown;
    char *root_json;
};

/* Nothing to do: the loop iteration that this brings about collects the jobs that are done. */
static void on_woken(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    (void)argument;
}

/* False if there is a file for them, and it is not well-formed; the log says why. Then those that
 * there are stay as they are. */
static bool read_tokens(struct server *server)
{
    char why[TOKEN_FILE_WHY_BYTES];
    const char *path = server->options.token_file;
    if (path == NULL)
        return true;
    struct tokens *tokens = token_file_read(path, why);
    if (tokens == NULL) {
        log_line("%s%s", why,
                 server->service.tokens != NULL ? "; the tokens stay as they were" : "");
        return false;
    }
    tokens_free(server->service.tokens);
    server->service.tokens = tokens;
    log_line("tokens read from %s: %u", path, tokens_count(tokens));
    return true;
}

/* The shell and the kernel may both report that a terminal is gone, so it is no second signal. */
static void on_hangup(evutil_socket_t signal_number, short what, void *argument)
{
    struct server *server = argument;
    (void)what;
    if (!server->options.stop_on_hangup) {
        (void)read_tokens(server);
        access_log_reopen(server->service.access_log);
    } else if (!server->service.stopping) {
        shutdown_signal(&server->shutdown, (int)signal_number);
    }
}

static void log_notice(const char *line)
{
    log_line("%s", line);
}

/* With a second for what follows the last of them. */
static void tell_syncs_owed(unsigned seconds)
{
    service_manager_extend(seconds + 1);
}

static int make_router(struct server *server)
{
    const struct server_options *options = &server->options;
    struct pool_options pool = {.root = options->root,
                                .workers = options->workers,
                                .max_in_flight = options->max_in_flight,
                                .buckets_if_new = options->buckets,
                                .slots_if_new = options->slots,
                                .max_files = options->max_files,
                                .sync_threads = options->sync_threads,
                                .sync_after_ms = options->sync_after_ms,
                                .notice = log_notice,
                                .syncs_owed = tell_syncs_owed};
    int error = pool_start(&pool, &server->pool);
    if (error != 0)
        return error;
    server->service.router = router_new(server->pool, options->max_open_prefixes);
    return server->service.router != NULL ? 0 : -ENOMEM;
}

static int make_events(struct server *server)
{
    server->woken = event_new(server->base, pool_event_fd(server->pool),
                              EV_READ | EV_ET | EV_PERSIST, on_woken, server);
    server->hangup = evsignal_new(server->base, SIGHUP, on_hangup, server);
    if (server->woken == NULL || server->hangup == NULL || event_add(server->hangup, NULL) != 0 ||
        event_add(server->woken, NULL) != 0)
        return -ENOMEM;
    server->shutdown = (struct shutdown){.service = &server->service,
                                         .connections = server->frontend.connections,
                                         .listener = &server->listener,
                                         .root = server->options.root};
    return shutdown_start(&server->shutdown, server->base);
}

static int make_root_json(struct server *server)
{
    const char *path = root_path(server->options.root);
    server->root_json = malloc(JSON_BYTES_MAX(strlen(path)));
    if (server->root_json == NULL)
        return -ENOMEM;
    json_escape(path, server->root_json);
    server->service.root = path;
    server->service.root_json = server->root_json;
    return 0;
}

static int make_all(struct server *server, const char **step)
{
    *step = "cannot make an event loop";
    server->base = event_loop_new();
    if (server->base == NULL)
        return -ENOMEM;
    server->frontend = (struct frontend){
        .service = &server->service, .options = &server->options, .listener = &server->listener};
    int error = frontend_start(&server->frontend, server->base);
    if (error == 0)
        error = make_root_json(server);
    *step = "cannot start the workers";
    if (error == 0)
        error = make_router(server);
    if (error == 0)
        error = make_events(server);
    if (error == 0)
        error = upkeep_start(&server->upkeep, server->base, &server->service, server->pool);
    return error;
}

int server_start(const struct server_options *options, struct server **out)
{
    const char *step;
    struct server *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return -ENOMEM;
    server->options = *options;
    server->service.failures.write = server->service.limits.write = log_notice;
    server->service.value_bytes_max = options->max_value_bytes;
    server->service.log_slower_ms = options->log_slower_ms;
    server->service.origins = options->origins;
    server->service.origins_are_allowed = strcmp(options->origins.origins, "none") != 0;
    server->service.cache_control = options->cache_control;
    server->service.read_only = root_read_only(options->root);
    server->service.idle_s = options->timeouts.idle_s;
    server->service.buffered_bytes_max = options->max_buffered_bytes;
    server->service.metrics.started_ns = clock_realtime_ns();
    if (!read_tokens(server)) {
        free(server);
        return -EINVAL;
    }
    int error = access_log_open(options->access_log, options->file_mode,
                                &server->options.trusted_proxies, &server->service.access_log);
    if (error != 0) {
        tokens_free(server->service.tokens);
        free(server);
        return error;
    }
    error = make_all(server, &step);
    if (error != 0)
        log_line("%s: %s", step, strerror(-error));
    else
        error = listening_start(server->base, options, server->frontend.http,
                                server->frontend.admin_http, &server->listener);
    if (error != 0) {
        (void)server_stop(server);
        return error;
    }
    listening_log(server->listener, options, server->service.tokens != NULL);
    service_manager_send("READY=1");
    *out = server;
    return 0;
}

void server_iterate(struct server *server, bool may_sleep)
{
    may_sleep = connections_may_sleep(server->frontend.connections) && may_sleep &&
                router_may_sleep(server->service.router) && pool_may_sleep(server->pool);
    server->service.now_ns = 0;
    int result = event_base_loop(server->base, EVLOOP_ONCE | (may_sleep ? 0 : EVLOOP_NONBLOCK));
    pool_awake(server->pool);
    if (result < 0) {
        log_line("event loop: %s", strerror(errno));
        shutdown_exit(&server->service, EXIT_FAILURE);
    }
    connections_run(server->frontend.connections);
    upkeep_run(&server->upkeep);
    server->service.now_ns = 0;
    pool_collect(server->pool);
    router_deliver(server->service.router);
    pool_wake(server->pool);
}

static int exit_status(const struct server *server, int otherwise)
{
    return server->shutdown.root_lost ? SERVER_ROOT_LOST : otherwise;
}

int server_run(struct server *server)
{
    while (!shutdown_is_over(&server->shutdown)) {
        server_iterate(server, true);
        shutdown_if_root_is_lost(&server->shutdown);
    }
    if (router_in_flight(server->service.router) > 0) {
        log_line("the disk holds up %u requests; not waiting",
                 router_in_flight(server->service.router));
        shutdown_exit(&server->service, exit_status(server, EXIT_FAILURE));
    }
    return exit_status(server, EXIT_SUCCESS);
}

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

int server_stop(struct server *server)
{
    listener_close(server->listener);
    server->listener = NULL;
    frontend_free(&server->frontend);
    free_event(server->woken); /* before its descriptor is closed */
    shutdown_leave_signals(&server->shutdown);
    free_event(server->hangup); /* from now on it is ignored again */
    int error = pool_stop(server->pool);
    if (error == -ETIMEDOUT) /* a thread cannot be ended while it is in the kernel */
        shutdown_exit(&server->service, exit_status(server, EXIT_FAILURE));
    router_free(server->service.router);
    event_log_end(&server->service.failures);
    event_log_end(&server->service.limits);
    shutdown_free(&server->shutdown);
    upkeep_stop(&server->upkeep);
    if (server->base != NULL)
        event_base_free(server->base);
    libevent_global_shutdown();
    exchange_list_clear(&server->service.free_exchanges);
    access_log_close(server->service.access_log);
    free(server->root_json);
    tokens_free(server->service.tokens);
    free(server);
    return error;
}
