#include "http/endpoints.h"

#include <assert.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <string.h>
#include <strings.h>

#include "http/response.h"
#include "http/service.h"
#include "net/connection.h"

#define PATH_BYTES_SHOWN 200
#define DATA_PATHS "/append, /appendMulti, /get, /getMulti, /scan, /ends, /prefixes, /close"
/* `curl -T` sends a PUT, which proxies may send twice: each would be a record. */
#define PUT_HINT "to send a file use -X POST -T FILE"

#define READ_ONLY_HINT "this server only reads (-read-only); ask the one that writes"

/* Where it is if there is an -admin-bind. */
enum place { MAIN, ADMIN, BOTH };

static const struct endpoint {
    const char *path;
    int methods; /* evhttp's bits */
    const char *allow;
    enum right right; /* that a token must have */
    void (*handle)(struct exchange *exchange);
    bool while_stopping; /* it is called then too */
    enum place place;
} endpoints[] = {
    {"/append", EVHTTP_REQ_POST, "POST", RIGHT_WRITE, append_handle, false, MAIN},
    {"/appendMulti", EVHTTP_REQ_POST, "POST", RIGHT_WRITE, append_multi_handle, false, MAIN},
    {"/get", EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, "GET, HEAD", RIGHT_READ, get_handle, false, MAIN},
    {"/getMulti", EVHTTP_REQ_POST, "POST", RIGHT_READ, get_multi_handle, false, MAIN},
    {"/scan", EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, "GET, HEAD", RIGHT_READ, scan_handle, false, MAIN},
    {"/ends", EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, "GET, HEAD", RIGHT_READ, ends_handle, false, MAIN},
    {"/prefixes", EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, "GET, HEAD", RIGHT_ADMIN, prefixes_handle,
     false, MAIN},
    {"/close", EVHTTP_REQ_GET | EVHTTP_REQ_POST, "GET, POST", RIGHT_WRITE, close_handle, false,
     MAIN},
    {"/healthz", EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, "GET, HEAD", RIGHT_OPEN, healthz_handle, true,
     BOTH},
    {"/readyz", EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, "GET, HEAD", RIGHT_OPEN, readyz_handle, true,
     BOTH},
    {"/metrics", EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, "GET, HEAD", RIGHT_ADMIN, metrics_handle, false,
     ADMIN},
    {"/stats", EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, "GET, HEAD", RIGHT_ADMIN, stats_handle, false,
     ADMIN},
    {"/", EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, "GET, HEAD", RIGHT_OPEN, page_handle, false, ADMIN},
};

#define ENDPOINTS (sizeof(endpoints) / sizeof(endpoints[0]))

static_assert(ENDPOINTS <= METRICS_OTHER, "each has a place in the metrics");

const char *endpoints_label(unsigned endpoint)
{
    if (endpoint >= ENDPOINTS)
        return NULL;
    const char *label = endpoints[endpoint].path + 1; /* no slash */
    return label[0] != '\0' ? label : "page";
}

static bool endpoint_appends(const struct endpoint *endpoint)
{
    return endpoint->handle == append_handle || endpoint->handle == append_multi_handle;
}

static const struct endpoint *find_endpoint(const char *path, size_t bytes,
                                            int (*compare)(const char *, const char *, size_t))
{
    for (size_t i = 0; i < ENDPOINTS; i++)
        if (strlen(endpoints[i].path) == bytes && compare(endpoints[i].path, path, bytes) == 0)
            return &endpoints[i];
    return NULL;
}

enum right endpoints_right(const char *path, size_t bytes)
{
    const struct endpoint *endpoint = find_endpoint(path, bytes, strncmp);
    return endpoint != NULL ? endpoint->right : RIGHT_ANY;
}

/* One that differs in its slashes at both ends or in case. */
static const struct endpoint *find_similar(const char *path, size_t bytes)
{
    while (bytes > 1 && path[0] == '/' && path[1] == '/') {
        path++;
        bytes--;
    }
    while (bytes > 1 && path[bytes - 1] == '/')
        bytes--;
    return find_endpoint(path, bytes, strncasecmp);
}

static bool is_here(const struct exchange *exchange, const struct endpoint *endpoint)
{
    return !exchange->service->admin_apart || endpoint->place == BOTH ||
           (endpoint->place == ADMIN) == exchange->admin;
}

static const char *paths_here(const struct exchange *exchange)
{
    if (!exchange->service->admin_apart)
        return DATA_PATHS ", /healthz, /readyz, /metrics and /stats";
    return exchange->admin ? "/, /healthz, /readyz, /metrics and /stats"
                           : DATA_PATHS ", /healthz and /readyz";
}

static void no_such_path(struct exchange *exchange, const char *path, size_t bytes)
{
    const struct endpoint *similar = find_similar(path, bytes);
    int shown = bytes < PATH_BYTES_SHOWN ? (int)bytes : PATH_BYTES_SHOWN;
    if (similar != NULL && is_here(exchange, similar))
        response_text(exchange, 404, "no such path: %.*s; use %s", shown, path, similar->path);
    else
        response_text(exchange, 404, "no such path: %.*s; there are %s", shown, path,
                      paths_here(exchange));
}

/* False if the request was refused because of where it comes from. */
static bool check_origin(struct exchange *exchange, const char *target)
{
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(exchange->request);
    struct origin_request request = {.host = evhttp_find_header(headers, "Host"),
                                     .origin = evhttp_find_header(headers, "Origin"),
                                     .fetch_site = evhttp_find_header(headers, "Sec-Fetch-Site"),
                                     .fetch_mode = evhttp_find_header(headers, "Sec-Fetch-Mode"),
                                     .target = target};
    switch (origin_check(&exchange->service->origins, &request)) {
    case ORIGIN_OWN:
        return true;
    case ORIGIN_ALLOWED:
        if (strlen(request.origin) > RESPONSE_ORIGIN_BYTES_MAX)
            break;
        exchange->origin = request.origin;
        return true;
    case ORIGIN_UNKNOWN_HOST:
        response_text(exchange, 403, "not a host of this server; -allow-host lists them");
        return false;
    case ORIGIN_FOREIGN:
        break;
    }
    response_text(exchange, 403,
                  "sent by a page of another origin; -allow-origin lists those that may");
    return false;
}

void endpoints_dispatch(struct exchange *exchange)
{
    /* not evhttp's parsed URI: it takes what follows two slashes for a host */
    const char *target = evhttp_request_get_uri(exchange->request);
    const char *question = strchr(target, '?');
    size_t path_bytes = question != NULL ? (size_t)(question - target) : strlen(target);
    const struct endpoint *endpoint = find_endpoint(target, path_bytes, strncmp);
    enum evhttp_cmd_type method = evhttp_request_get_command(exchange->request);
    if (endpoint != NULL && !is_here(exchange, endpoint))
        endpoint = NULL;
    if (endpoint != NULL)
        exchange->endpoint = (unsigned)(endpoint - endpoints);
    if (!check_origin(exchange, target))
        return;
    struct framing_judgement judgement = connection_judgement(exchange->connection);
    if (judgement.refused != 0) { /* and there is no body */
        response_text(exchange, judgement.refused, "%s", judgement.why);
        return;
    }
    if (method == EVHTTP_REQ_OPTIONS && strcmp(target, "*") == 0) {
        response_options(exchange, RESPONSE_METHODS);
        return;
    }
    if (endpoint == NULL) {
        no_such_path(exchange, target, path_bytes);
        return;
    }
    if (method == EVHTTP_REQ_OPTIONS) {
        response_options(exchange, endpoint->allow);
        return;
    }
    if ((endpoint->methods & (int)method) == 0) {
        response_not_allowed(exchange, endpoint->path, endpoint->allow,
                             method == EVHTTP_REQ_PUT && endpoint_appends(endpoint)
                                 ? PUT_HINT
                                 : "use one of these methods");
        return;
    }
    if (exchange->service->read_only && endpoint->right == RIGHT_WRITE) {
        response_text(exchange, 403, READ_ONLY_HINT);
        return;
    }
    const char *wrong = query_parse(question != NULL ? question + 1 : NULL, &exchange->query);
    if (wrong != NULL) {
        response_text(exchange, 400, "%s", wrong);
        return;
    }
    if (exchange->service->stopping && !endpoint->while_stopping) {
        response_text(exchange, 503, "shutting down");
        return;
    }
    exchange->job.id_hash = exchange->query.id_hash;
    exchange->job.offset = exchange->query.offset;
    endpoint->handle(exchange);
}
