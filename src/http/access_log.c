#include "http/access_log.h"

#include <errno.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <time.h>

#include "base/line_file.h"
#include "base/log.h"
#include "http/access_line.h"
#include "http/exchange.h"
#include "net/connection.h"
#include "net/peer.h"
#include "net/trusted_proxies.h"

#define NAME "the access log"
#define TIME_BYTES 32
#define UNSERVED_LINE_BYTES_MAX 4096
#define VERSION_BYTES (sizeof("HTTP/1.1") - 1)

struct access_log {
    struct line_file *file;
    const struct trusted_proxies *proxies;
    time_t time_s; /* of `time` */
    char time[TIME_BYTES];
};

int access_log_open(const char *path, mode_t mode, const struct trusted_proxies *proxies,
                    struct access_log **out)
{
    if (path == NULL)
        return 0;
    struct access_log *log = calloc(1, sizeof(*log));
    if (log == NULL) {
        log_line("cannot open " NAME " %s: %s", path, strerror(ENOMEM));
        return -ENOMEM;
    }
    log->proxies = proxies;
    int error = line_file_open(path, mode, NAME, &log->file);
    if (error != 0) {
        log_line("cannot open " NAME " %s: %s", path, line_file_error_text(error));
        free(log);
        return error;
    }
    *out = log;
    return 0;
}

void access_log_reopen(struct access_log *log)
{
    if (log != NULL)
        line_file_reopen(log->file);
}

void access_log_flush(struct access_log *log)
{
    if (log != NULL)
        line_file_flush(log->file);
}

void access_log_close(struct access_log *log)
{
    if (log == NULL)
        return;
    line_file_close(log->file);
    free(log);
}

uint64_t access_log_dropped(struct access_log *log)
{
    return log != NULL ? line_file_dropped(log->file) : 0;
}

/* Written once a second. */
static const char *time_now(struct access_log *log)
{
    time_t now = time(NULL);
    struct tm local;
    if (now != log->time_s && localtime_r(&now, &local) != NULL &&
        strftime(log->time, sizeof(log->time), "%d/%b/%Y:%H:%M:%S %z", &local) > 0)
        log->time_s = now;
    return log->time;
}

static void put(struct access_log *log, const struct peer *client, struct access_line *line)
{
    char address[PEER_TEXT_BYTES], bytes[ACCESS_LINE_BYTES_MAX];
    line->client = peer_write(client, address);
    line->time = time_now(log);
    (void)line_file_put(log->file, bytes, access_line_write(line, bytes));
}

static const char *method_name(enum evhttp_cmd_type method)
{
    switch (method) {
    case EVHTTP_REQ_GET:
        return "GET";
    case EVHTTP_REQ_POST:
        return "POST";
    case EVHTTP_REQ_HEAD:
        return "HEAD";
    case EVHTTP_REQ_PUT:
        return "PUT";
    case EVHTTP_REQ_DELETE:
        return "DELETE";
    case EVHTTP_REQ_OPTIONS:
        return "OPTIONS";
    case EVHTTP_REQ_PATCH:
        return "PATCH";
    default: /* framing.c lets no other through */
        return "-";
    }
}

static struct peer client_of(const struct access_log *log, const struct connection *connection,
                             struct evhttp_request *request)
{
    struct peer client = {.kind = PEER_UNKNOWN};
    if (connection != NULL)
        client = connection_peer(connection);
    if (!trusted_proxies_has(log->proxies, &client))
        return client;
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    const struct evkeyval *header;
    TAILQ_FOREACH_REVERSE (header, headers, evkeyvalq, next)
        if (strcasecmp(header->key, TRUSTED_PROXIES_HEADER) == 0 &&
            !trusted_proxies_follow(log->proxies, header->value, &client))
            break;
    return client;
}

static struct access_line line_of(struct evhttp_request *request,
                                  const struct connection *connection)
{
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    bool http_1_0 = connection != NULL && connection_http_1_0(connection);
    return (struct access_line){.method = method_name(evhttp_request_get_command(request)),
                                .target = evhttp_request_get_uri(request),
                                .version = http_1_0 ? "HTTP/1.0" : "HTTP/1.1",
                                .referer = evhttp_find_header(headers, "Referer"),
                                .agent = evhttp_find_header(headers, "User-Agent"),
                                .received_bytes =
                                    connection != NULL ? connection_body_bytes(connection) : 0};
}

void access_log_exchange(struct access_log *log, const struct exchange *exchange, int status,
                         uint64_t took_ns)
{
    if (log == NULL)
        return;
    struct peer client = client_of(log, exchange->connection, exchange->request);
    struct access_line line = line_of(exchange->request, exchange->connection);
    line.status = status;
    line.sent_bytes = exchange->sent_bytes;
    line.took_ns = took_ns;
    put(log, &client, &line);
}

void access_log_request(struct access_log *log, struct evhttp_request *request,
                        const struct connection *connection, int status, uint64_t sent_bytes)
{
    if (log == NULL)
        return;
    struct peer client = client_of(log, connection, request);
    struct access_line line = line_of(request, connection);
    line.status = status;
    line.sent_bytes = sent_bytes;
    put(log, &client, &line);
}

/* "METHOD /target HTTP/1.x", taken apart in place; nothing if it is not of this form. */
static void split_request_line(char *text, struct access_line *line)
{
    size_t method = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    char *target = text + method + 1, *last = strrchr(text, ' ');
    if (method == 0 || text[method] != ' ' || last < target || (*target != '/' && *target != '*') ||
        strncmp(last + 1, "HTTP/1.", VERSION_BYTES - 1) != 0 || strlen(last + 1) != VERSION_BYTES ||
        memchr(target, ' ', (size_t)(last - target)) != NULL)
        return;
    text[method] = *last = '\0';
    line->method = text;
    line->target = target;
    line->version = last + 1;
}

void access_log_unserved(struct access_log *log, const struct connection *connection, int status,
                         uint64_t sent_bytes, uint64_t took_ns)
{
    if (log == NULL)
        return;
    char text[UNSERVED_LINE_BYTES_MAX + 1];
    struct peer client = connection_peer(connection);
    struct access_line line = {.status = status,
                               .sent_bytes = sent_bytes,
                               .received_bytes = connection_arrived_bytes(connection),
                               .took_ns = took_ns};
    size_t bytes = connection_request_line(connection, text, UNSERVED_LINE_BYTES_MAX);
    text[bytes] = '\0';
    split_request_line(text, &line);
    put(log, &client, &line);
}
