#include "http/refusal.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "http/access_log.h"
#include "http/metrics.h"
#include "http/response.h"
#include "http/service.h"
#include "http/tally.h"
#include "net/connections.h"

/* Head and body; the texts are constants, and far shorter. */
#define BYTES_MAX 4096

/* With the newline. */
static size_t body_bytes(bool of_head, const char *why)
{
    return of_head ? 0 : strlen(why) + 1;
}

static size_t write_refusal(struct service *service, bool of_head, int status, const char *why,
                            char out[BYTES_MAX])
{
    struct response_head head = {.minor_version = 1,
                                 .status = status,
                                 .type = RESPONSE_TEXT,
                                 .date = service_date(service),
                                 .length = strlen(why) + 1,
                                 .cache_control = RESPONSE_CACHE_NEVER,
                                 .allow = status == 405 ? RESPONSE_METHODS : NULL,
                                 .retry_after_s = status == 503 ? RESPONSE_RETRY_AFTER_S : 0,
                                 .connection = RESPONSE_CONNECTION_CLOSE};
    size_t bytes = response_head_write(&head, out);
    if (of_head)
        return bytes;
    memcpy(out + bytes, why, strlen(why));
    bytes += strlen(why);
    out[bytes++] = '\n';
    return bytes;
}

void refusal_send(struct service *service, struct connection *connection,
                  const struct connections_refusal *refusal)
{
    char bytes[BYTES_MAX];
    size_t length = write_refusal(service, connection_is_head(connection), refusal->status,
                                  refusal->why, bytes);
    tally_failure(service, refusal->status, refusal->why);
    tally_response(service, METRICS_OTHER, refusal->status, refusal->elapsed_ms * CLOCK_NS_PER_MS,
                   refusal->why);
    access_log_unserved(service->access_log, connection, refusal->status,
                        body_bytes(connection_is_head(connection), refusal->why),
                        refusal->elapsed_ms * CLOCK_NS_PER_MS);
    connection_refuse(connection, bytes, length);
}

void refusal_out_of_memory(struct service *service, struct evhttp_request *request,
                           struct connection *connection)
{
    static const char why[] = "out of memory";
    char bytes[BYTES_MAX];
    struct evhttp_connection *http = evhttp_request_get_connection(request);
    bool of_head = evhttp_request_get_command(request) == EVHTTP_REQ_HEAD;
    size_t length = write_refusal(service, of_head, 503, why, bytes);
    tally_failure(service, 503, why);
    tally_response(service, METRICS_OTHER, 503, 0, why);
    access_log_request(service->access_log, request, connection, 503, body_bytes(of_head, why));
    (void)evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
    struct bufferevent *bev = connection != NULL ? NULL : evhttp_connection_get_bufferevent(http);
    struct evbuffer *output =
        connection != NULL ? connection_output(connection) : bufferevent_get_output(bev);
    bool added = evbuffer_add(output, bytes, length) == 0;
    if (connection == NULL) {
        evhttp_send_reply_end(request); /* evhttp's own socket: it writes, and closes */
        (void)bufferevent_enable(bev, EV_WRITE);
        return;
    }
    if (!added)
        connection_abort(connection);
    connection_close_after_reply(connection);
    evhttp_send_reply_end(request);
    if (added)
        connection_send(connection);
}
