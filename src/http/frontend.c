#include "http/frontend.h"

#include <errno.h>
#include <event2/http.h>

#include "base/clock.h"
#include "http/access.h"
#include "http/access_log.h"
#include "http/endpoints.h"
#include "http/refusal.h"
#include "http/response.h"
#include "http/server_options.h"
#include "http/service.h"
#include "net/connections.h"
#include "net/head.h"
#include "net/listener.h"

static void serve(struct frontend *frontend, struct evhttp_request *request, bool admin)
{
    struct connection *connection = connections_serve(frontend->connections);
    struct exchange *exchange =
        connection != NULL ? exchange_new(&frontend->service->free_exchanges) : NULL;
    if (exchange == NULL) {
        refusal_out_of_memory(frontend->service, request, connection);
        return;
    }
    exchange->service = frontend->service;
    exchange->request = request;
    exchange->connection = connection;
    exchange->origin = NULL;
    exchange->admin = admin;
    exchange->begun_ns = service_now_ns(frontend->service);
    exchange->sent_bytes = 0;
    exchange->endpoint = METRICS_OTHER;
    endpoints_dispatch(exchange);
}

/* evhttp has a whole request. */
static void on_request(struct evhttp_request *request, void *argument)
{
    serve(argument, request, false);
}

static void on_admin_request(struct evhttp_request *request, void *argument)
{
    serve(argument, request, true);
}

static void on_count_changed(void *argument, unsigned count)
{
    struct frontend *frontend = argument;
    metrics_count_connections(&frontend->service->metrics, count);
    if (count == frontend->options->max_connections)
        event_log_note(&frontend->service->limits,
                       "-max-connections is reached: more clients are accepted when others leave");
    if (*frontend->listener != NULL)
        listener_allow(*frontend->listener, count < frontend->options->max_connections);
}

static void on_memory_awaited(void *argument)
{
    struct frontend *frontend = argument;
    event_log_note(&frontend->service->limits,
                   "-max-buffered is reached: requests wait for memory");
}

static void on_refused(void *argument, struct connection *connection,
                       const struct connections_refusal *refusal)
{
    struct frontend *frontend = argument;
    refusal_send(frontend->service, connection, refusal);
}

static void on_lost(void *argument, const struct connection *connection, uint64_t elapsed_ms)
{
    struct frontend *frontend = argument;
    access_log_unserved(frontend->service->access_log, connection, ACCESS_LOG_CLIENT_LEFT, 0,
                        elapsed_ms * CLOCK_NS_PER_MS);
}

static struct evhttp *new_http(struct frontend *frontend, struct event_base *base,
                               void (*handle)(struct evhttp_request *, void *))
{
    struct evhttp *http = evhttp_new(base);
    if (http == NULL)
        return NULL;
    /* framing.c keeps the limits; this is the last line, and never reached */
    evhttp_set_max_headers_size(http, 2 * HEAD_BYTES_MAX);
    evhttp_set_max_body_size(http, (ev_ssize_t)body_limits_most(&frontend->limits));
    evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                         EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
                                         EVHTTP_REQ_PATCH);
    evhttp_set_bevcb(http, connections_accept, frontend->connections);
    evhttp_set_gencb(http, handle, frontend);
    return http;
}

int frontend_start(struct frontend *frontend, struct event_base *base)
{
    body_limits_set(&frontend->limits, frontend->options->max_value_bytes,
                    frontend->options->max_batch_bytes);
    forwarded_set(frontend->forwarded, frontend->options->access_log != NULL,
                  trusted_proxies_any(&frontend->options->trusted_proxies));
    frontend->rules = (struct framing_rules){
        .limits = frontend->limits.limits,
        .forwarded = frontend->forwarded,
        .judge = frontend->service->tokens != NULL ? access_judge : NULL,
        .context = frontend->service,
    };
    struct connections_options options = {
        .base = base,
        .rules = &frontend->rules,
        .timeouts = frontend->options->timeouts,
        .buffered_bytes_max = frontend->options->max_buffered_bytes,
        .reply_bytes_max = JOB_PIECE_BYTES_MAX,
        .count_changed = on_count_changed,
        .memory_awaited = on_memory_awaited,
        .refused = on_refused,
        .lost = on_lost,
        .peers_wanted = frontend->options->access_log != NULL,
        .piece_overdue = response_overdue,
        .context = frontend,
    };
    frontend->connections = connections_new(&options);
    frontend->service->connections = frontend->connections;
    if (frontend->connections == NULL)
        return -ENOMEM;
    frontend->http = new_http(frontend, base, on_request);
    if (frontend->http == NULL)
        return -ENOMEM;
    if (frontend->options->admin_bind.count == 0)
        return 0;
    frontend->service->admin_apart = true;
    frontend->admin_http = new_http(frontend, base, on_admin_request);
    return frontend->admin_http != NULL ? 0 : -ENOMEM;
}

void frontend_free(struct frontend *frontend)
{
    if (frontend->http != NULL)
        evhttp_free(frontend->http);
    if (frontend->admin_http != NULL)
        evhttp_free(frontend->admin_http);
    connections_free(frontend->connections);
}
