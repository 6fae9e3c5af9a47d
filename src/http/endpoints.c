#include "http/endpoints.h"

#include <event2/http.h>
#include <string.h>

#include "http/response.h"
#include "http/service.h"

static const struct {
    const char *path;
    int methods; /* evhttp's bits */
    const char *allow;
    void (*handle)(struct exchange *exchange);
} endpoints[] = {
    {"/append", EVHTTP_REQ_POST, "POST", append_handle},
    {"/get", EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, "GET, HEAD", get_handle},
    {"/getMulti", EVHTTP_REQ_POST, "POST", get_multi_handle},
    {"/close", EVHTTP_REQ_GET | EVHTTP_REQ_POST, "GET, POST", close_handle},
};

void endpoints_dispatch(struct exchange *exchange)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(exchange->request);
    const char *path = evhttp_uri_get_path(uri);
    size_t i = 0, count = sizeof(endpoints) / sizeof(endpoints[0]);
    while (i < count && strcmp(endpoints[i].path, path) != 0)
        i++;
    if (i == count) {
        response_text(exchange, 404, "no such path: %.200s", path);
        return;
    }
    if ((endpoints[i].methods & (int)evhttp_request_get_command(exchange->request)) == 0) {
        response_not_allowed(exchange, path, endpoints[i].allow);
        return;
    }
    const char *wrong = query_parse(evhttp_uri_get_query(uri), &exchange->query);
    if (wrong != NULL) {
        response_text(exchange, 400, "%s", wrong);
        return;
    }
    if (exchange->service->stopping) {
        response_text(exchange, 503, "shutting down");
        return;
    }
    exchange->job.id_hash = exchange->query.id_hash;
    exchange->job.offset = exchange->query.offset;
    endpoints[i].handle(exchange);
}
