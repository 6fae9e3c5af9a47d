#include "http/reply.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "net/connection.h"
#include "base/log.h"
#include "http/server.h"
#include "http/status.h"
#include "store/prefix.h"
#include "work/router.h"

#define TEXT_BYTES_MAX 8192
#define NS_PER_MS 1000000.0

static void add_header(struct exchange *exchange, const char *key, const char *value)
{
    /* Only out of memory makes it fail, and then the reply is not less true without it. */
    (void)evhttp_add_header(evhttp_request_get_output_headers(exchange->request), key, value);
}

static void add_length(struct exchange *exchange, uint64_t bytes)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRIu64, bytes);
    add_header(exchange, "Content-Length", text);
}

/* evhttp would format the date for each reply. */
static const char *date(struct server *server)
{
    time_t now = time(NULL);
    if (now != server->date_time) {
        struct tm utc;
        server->date_time = now;
        if (gmtime_r(&now, &utc) == NULL ||
            strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT", &utc) == 0)
            server->date[0] = '\0';
    }
    return server->date;
}

static void add_common(struct exchange *exchange, const char *type)
{
    add_header(exchange, "Content-Type", type);
    add_header(exchange, "Date", date(exchange->server));
    if (connection_wants_close(exchange->connection))
        add_header(exchange, "Connection", "close");
}

static void log_slow(const struct exchange *exchange, int status)
{
    struct timespec now;
    if (exchange->begun_ns == 0)
        return;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    double took_ms =
        ((double)now.tv_sec * 1e9 + (double)now.tv_nsec - (double)exchange->begun_ns) / NS_PER_MS;
    if (took_ms >= (double)exchange->server->options.log_slower_ms)
        log_line("%.3f ms %d %s", took_ms, status, evhttp_request_get_uri(exchange->request));
}

static bool is_head(const struct exchange *exchange)
{
    return evhttp_request_get_command(exchange->request) == EVHTTP_REQ_HEAD;
}

/* `body` may be NULL. */
static void send_whole(struct exchange *exchange, int status, struct evbuffer *body)
{
    struct server *server = exchange->server;
    struct connection *connection = exchange->connection;
    log_slow(exchange, status);
    evhttp_send_reply(exchange->request, status, status_reason(status), body);
    exchange_free(&server->free_exchanges, exchange);
    connection_send(connection);
}

static void send_bytes(struct exchange *exchange, int status, const char *type, const void *body,
                       size_t bytes)
{
    add_common(exchange, type);
    /* evhttp does not keep a body from going out with HEAD, nor give it its length */
    if (is_head(exchange)) {
        add_length(exchange, bytes);
    } else {
        struct evbuffer *out = evhttp_request_get_output_buffer(exchange->request);
        /* no memory: without its body an answer would be another one, an error would not */
        if (evbuffer_add(out, body, bytes) != 0 && status == HTTP_OK) {
            reply_cut(exchange);
            return;
        }
    }
    send_whole(exchange, status, NULL);
}

void reply_allow(struct exchange *exchange, const char *methods)
{
    add_header(exchange, "Allow", methods);
}

void reply_whole(struct exchange *exchange, const char *type, const void *body, size_t bytes)
{
    send_bytes(exchange, HTTP_OK, type, body, bytes);
}

void reply_buffer(struct exchange *exchange, const char *type, struct evbuffer *body,
                  uint64_t bytes)
{
    add_common(exchange, type);
    add_length(exchange, bytes);
    send_whole(exchange, HTTP_OK, is_head(exchange) ? NULL : body);
}

void reply_text(struct exchange *exchange, int status, const char *format, ...)
{
    char text[TEXT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text) - 1, format, arguments);
    va_end(arguments);
    size_t bytes = length < 0 ? 0 : (size_t)length;
    if (bytes > sizeof(text) - 2)
        bytes = sizeof(text) - 2;
    text[bytes++] = '\n';
    if (status == HTTP_SERVUNAVAIL)
        add_header(exchange, "Retry-After", "1");
    send_bytes(exchange, status, "text/plain", text, bytes);
}

void reply_out_of_memory(struct evhttp_request *request, struct connection *connection)
{
    (void)evhttp_add_header(evhttp_request_get_output_headers(request), "Retry-After", "1");
    evhttp_send_reply(request, HTTP_SERVUNAVAIL, status_reason(HTTP_SERVUNAVAIL), NULL);
    if (connection != NULL)
        connection_send(connection);
}

int reply_describe(const struct exchange *exchange, char *out, size_t bytes)
{
    const struct job *job = &exchange->job;
    const char *meaning, *root = root_path(exchange->server->options.root);
    const char *prefix = exchange->query.prefix;
    int status = status_of_error(job->error, &meaning);
    const char *what = "";
    if (job->kind == JOB_APPEND && job->sync) {
        /* not what the error means for a write; the record was taken out again */
        status = HTTP_INTERNAL;
        what = "could not be synced: ";
        meaning = strerror(-job->error);
    } else if (job->kind == JOB_APPEND && job->error == -ENOENT) {
        /* not a record that is missing, but a directory that was there a moment ago */
        status = HTTP_INTERNAL;
        meaning = strerror(ENOENT);
    }
    char file[BUCKET_FILE_NAME_BYTES];
    bucket_file_name(job->bucket, file);
    if (!job->has_bucket && status == HTTP_NOTFOUND)
        (void)snprintf(out, bytes, "no such storagePrefix: %s", prefix);
    else if (!job->has_bucket)
        (void)snprintf(out, bytes, "%s: %s/%s", meaning, root, prefix);
    else if (job->kind == JOB_APPEND)
        (void)snprintf(out, bytes, "%s%s: %s/%s/%s", what, meaning, root, prefix, file);
    else
        (void)snprintf(out, bytes, "%s: offset %" PRIu64 " of %s/%s/%s", meaning,
                       (uint64_t)job->offset, root, prefix, file);
    return status;
}

void reply_error(struct exchange *exchange)
{
    char text[TEXT_BYTES_MAX];
    int status = reply_describe(exchange, text, sizeof(text));
    reply_text(exchange, status, "%s", text);
}

void reply_begin(struct exchange *exchange, const char *type, uint64_t bytes)
{
    struct evhttp_request *request = exchange->request;
    if (bytes != REPLY_LENGTH_UNKNOWN)
        add_length(exchange, bytes);
    else if (request->minor == 0)
        /* HTTP/1.0 has no chunks, and with keep-alive evhttp would say "Content-Length: 0" */
        (void)evhttp_remove_header(evhttp_request_get_input_headers(request), "Connection");
    add_common(exchange, type);
    evhttp_send_reply_start(request, HTTP_OK, status_reason(HTTP_OK));
}

static void finish_pieces(struct exchange *exchange)
{
    evhttp_send_reply_end(exchange->request);
    exchange_free(&exchange->server->free_exchanges, exchange);
}

bool reply_overdue(const void *argument)
{
    const struct exchange *exchange = argument;
    return router_overdue(&exchange->job);
}

static void piece_sent(void *argument, bool gone)
{
    struct exchange *exchange = argument;
    if (!gone && !reply_overdue(exchange)) {
        exchange->next(exchange);
        return;
    }
    router_abandon(exchange->server->router, &exchange->job);
    if (gone)
        finish_pieces(exchange);
    else
        reply_cut(exchange);
}

void reply_piece(struct exchange *exchange, struct evbuffer *piece,
                 void (*next)(struct exchange *exchange))
{
    exchange->next = next;
    evhttp_send_reply_chunk(exchange->request, piece);
    connection_send_piece(exchange->connection, piece_sent, exchange);
}

void reply_last(struct exchange *exchange, struct evbuffer *piece)
{
    struct connection *connection = exchange->connection;
    log_slow(exchange, HTTP_OK);
    if (piece != NULL)
        evhttp_send_reply_chunk(exchange->request, piece);
    finish_pieces(exchange);
    connection_send(connection);
}

void reply_cut(struct exchange *exchange)
{
    log_slow(exchange, HTTP_OK);
    connection_abort(exchange->connection);
    finish_pieces(exchange);
}
