#include "http/response.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "http/conditions.h"
#include "http/failure.h"
#include "http/http_date.h"
#include "http/service.h"
#include "http/tally.h"
#include "net/connection.h"
#include "store/error.h"
#include "work/router.h"

#define TYPE_PAGE "text/html; charset=utf-8"
#define ALLOW_BYTES_MAX 64
/* What an allowed foreign page may send beside what every page may. */
#define PREFLIGHT_HEADERS                                                                          \
    "Authorization, Content-Type, Range, If-Range, If-None-Match, If-Modified-Since"
#define CONTENT_RANGE_BYTES 48
/* Up to here head and body are copied into one buffer and added at once. */
#define COPIED_BYTES_MAX 4096
#define CHUNK_SIZE_BYTES_MAX 18

static bool is_head(const struct exchange *exchange)
{
    return evhttp_request_get_command(exchange->request) == EVHTTP_REQ_HEAD;
}

/* The first response of a connection says how long it may be idle. */
static unsigned keep_alive_of(const struct exchange *exchange)
{
    const struct connection *connection = exchange->connection;
    if (connection_requests(connection) != 1 || connection_wants_close(connection))
        return 0;
    return exchange->service->idle_s;
}

/* With Keep-Alive it is said in HTTP/1.1 too: proxies must not pass on what is about one connection
 * (RFC 9110, 7.6.1), and Java's HttpURLConnection only then looks at the time. */
static enum response_connection connection_of(const struct exchange *exchange)
{
    const struct connection *connection = exchange->connection;
    if (connection_wants_close(connection))
        return RESPONSE_CONNECTION_CLOSE;
    return connection_http_1_0(connection) || keep_alive_of(exchange) > 0
               ? RESPONSE_CONNECTION_KEEP_ALIVE
               : RESPONSE_CONNECTION_DEFAULT;
}

static struct response_head head_of(struct exchange *exchange, int status, const char *type,
                                    uint64_t length)
{
    return (struct response_head){.minor_version =
                                      connection_http_1_0(exchange->connection) ? 0 : 1,
                                  .status = status,
                                  .type = type,
                                  .date = service_date(exchange->service),
                                  .length = length,
                                  .cache_control = RESPONSE_CACHE_NEVER,
                                  .wants_token = status == 401,
                                  .origin = exchange->origin,
                                  .varies = exchange->service->origins_are_allowed,
                                  .retry_after_s = status == 503 ? RESPONSE_RETRY_AFTER_S : 0,
                                  .keep_alive_s = keep_alive_of(exchange),
                                  .connection = connection_of(exchange)};
}

/* What the head of a value points at. */
struct value_lines {
    struct response_validators validators;
    char tag[CONDITIONS_TAG_BYTES], modified[HTTP_DATE_BYTES], range[CONTENT_RANGE_BYTES];
};

static void write_validators(const struct exchange *exchange, struct value_lines *lines)
{
    const struct job *job = &exchange->job;
    struct conditions_value value = {job->value_bytes, job->time_ns};
    int64_t modified_s = (int64_t)(job->time_ns / CLOCK_NS_PER_SECOND);
    if (modified_s > exchange->service->date_s)
        modified_s = exchange->service->date_s; /* the clock was set back */
    conditions_tag(&value, lines->tag);
    http_date_write(modified_s, lines->modified);
    lines->validators = (struct response_validators){lines->tag, lines->modified};
}

static struct response_head scan_head_of(struct exchange *exchange, int status, const char *type,
                                         uint64_t length)
{
    const struct job_scan *scan = &exchange->job.scan;
    struct response_head head = head_of(exchange, status, type, length);
    head.has_next = head.has_tail = true;
    head.next = (uint64_t)scan->next;
    head.tail = (uint64_t)scan->tail;
    return head;
}

/* The head of a 200, or of the 206, 304 or 416 for a value. */
static struct response_head value_head_of(struct exchange *exchange, int status, const char *type,
                                          uint64_t length, struct value_lines *lines)
{
    const struct job *job = &exchange->job;
    if (job->kind == JOB_SCAN)
        return scan_head_of(exchange, status, type, length);
    struct response_head head = head_of(exchange, status, type, length);
    if (job->kind != JOB_READ)
        return head;
    write_validators(exchange, lines);
    if (status == 416) {
        (void)snprintf(lines->range, sizeof(lines->range), "bytes */%" PRIu32, job->value_bytes);
        head.content_range = lines->range;
        return head;
    }
    head.validators = &lines->validators;
    head.cache_control = exchange->service->cache_control;
    if (job->range_bytes > 0) {
        (void)snprintf(lines->range, sizeof(lines->range), "bytes %" PRIu32 "-%" PRIu32 "/%" PRIu32,
                       job->range_first, job->range_first + job->range_bytes - 1, job->value_bytes);
        head.status = 206;
        head.content_range = lines->range;
    }
    return head;
}

/* Adds head and body to the output: all of it or nothing. False: no memory. */
static bool add_response(struct evbuffer *output, const struct response_head *head,
                         const void *body, size_t bytes)
{
    char copied[COPIED_BYTES_MAX];
    size_t head_bytes = response_head_write(head, copied);
    if (bytes <= sizeof(copied) - head_bytes) {
        if (bytes > 0)
            memcpy(copied + head_bytes, body, bytes);
        return evbuffer_add(output, copied, head_bytes + bytes) == 0;
    }
    return evbuffer_expand(output, head_bytes + bytes) == 0 &&
           evbuffer_add(output, copied, head_bytes) == 0 && evbuffer_add(output, body, bytes) == 0;
}

/* The response is in the output as a whole: evhttp must know, and the exchange ends. */
static void finish_exchange(struct exchange *exchange)
{
    evhttp_send_reply_end(exchange->request);
    exchange_free(&exchange->service->free_exchanges, exchange);
}

static void send_output(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    if (connection_wants_close(connection))
        connection_close_after_reply(connection);
    finish_exchange(exchange);
    connection_send(connection);
}

static void send_bytes(struct exchange *exchange, const struct response_head *head,
                       const void *body, size_t bytes)
{
    if (!add_response(connection_output(exchange->connection), head, body,
                      is_head(exchange) ? 0 : bytes)) {
        response_abort(exchange); /* nothing else could tell the client */
        return;
    }
    exchange->sent_bytes = is_head(exchange) ? 0 : bytes;
    tally_exchange(exchange, head->status);
    send_output(exchange);
}

void response_whole(struct exchange *exchange, const char *type, const void *body, size_t bytes)
{
    struct value_lines lines;
    struct response_head head = value_head_of(exchange, 200, type, bytes, &lines);
    send_bytes(exchange, &head, body, bytes);
}

void response_page(struct exchange *exchange, const void *body, size_t bytes)
{
    struct response_head head = head_of(exchange, 200, TYPE_PAGE, bytes);
    head.is_page = true;
    send_bytes(exchange, &head, body, bytes);
}

void response_buffer(struct exchange *exchange, const char *type, struct evbuffer *body,
                     uint64_t bytes)
{
    struct evbuffer *output = connection_output(exchange->connection);
    struct value_lines lines;
    struct response_head head = value_head_of(exchange, 200, type, bytes, &lines);
    if (!add_response(output, &head, NULL, 0) ||
        (body != NULL && !is_head(exchange) && evbuffer_add_buffer(output, body) != 0)) {
        response_abort(exchange);
        return;
    }
    exchange->sent_bytes = body == NULL || is_head(exchange) ? 0 : bytes;
    tally_exchange(exchange, head.status);
    send_output(exchange);
}

void response_nothing(struct exchange *exchange)
{
    struct response_head head = scan_head_of(exchange, 204, NULL, RESPONSE_NO_BODY);
    send_bytes(exchange, &head, NULL, 0);
}

/* One line for people, with a newline. */
static void send_line(struct exchange *exchange, struct response_head *head, char *line,
                      size_t bytes)
{
    line[bytes++] = '\n';
    head->length = bytes;
    send_bytes(exchange, head, line, bytes);
}

void response_text(struct exchange *exchange, int status, const char *format, ...)
{
    char text[FAILURE_TEXT_BYTES_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    /* the analyzer does not know va_start here: NOLINTNEXTLINE(clang-analyzer-valist.*) */
    int length = vsnprintf(text, FAILURE_TEXT_BYTES_MAX, format, arguments);
    va_end(arguments);
    struct response_head head = head_of(exchange, status, RESPONSE_TEXT, 0);
    size_t bytes = length < 0 ? 0 : (size_t)length;
    text[bytes < FAILURE_TEXT_BYTES_MAX ? bytes : FAILURE_TEXT_BYTES_MAX] = '\0';
    tally_failure(exchange->service, status, text);
    if (bytes > FAILURE_TEXT_BYTES_MAX - 1)
        bytes = FAILURE_TEXT_BYTES_MAX - 1;
    send_line(exchange, &head, text, bytes);
}

void response_not_allowed(struct exchange *exchange, const char *path, const char *allow,
                          const char *hint)
{
    char text[RESPONSE_HEAD_BYTES_MAX];
    struct response_head head = head_of(exchange, 405, RESPONSE_TEXT, 0);
    head.allow = allow;
    int length = snprintf(text, sizeof(text) - 1, "%s takes %s; %s", path, allow, hint);
    send_line(exchange, &head, text, (size_t)length);
}

void response_not_modified(struct exchange *exchange)
{
    struct value_lines lines;
    struct response_head head = value_head_of(exchange, 304, NULL, RESPONSE_NO_BODY, &lines);
    send_bytes(exchange, &head, NULL, 0);
}

void response_no_such_range(struct exchange *exchange)
{
    char text[RESPONSE_HEAD_BYTES_MAX];
    struct value_lines lines;
    struct response_head head = value_head_of(exchange, 416, RESPONSE_TEXT, 0, &lines);
    int length = snprintf(text, sizeof(text) - 1, "the value has %" PRIu32 " bytes, from 0 on",
                          exchange->job.value_bytes);
    send_line(exchange, &head, text, (size_t)length);
}

void response_options(struct exchange *exchange, const char *allow)
{
    char methods[ALLOW_BYTES_MAX];
    struct response_head head = head_of(exchange, 204, NULL, RESPONSE_NO_BODY);
    (void)snprintf(methods, sizeof(methods), "%s%s", allow,
                   strstr(allow, "OPTIONS") == NULL ? ", OPTIONS" : "");
    head.allow = methods;
    if (exchange->origin != NULL) {
        head.methods = methods;
        head.headers = PREFLIGHT_HEADERS;
    }
    send_bytes(exchange, &head, NULL, 0);
}

void response_failure(struct exchange *exchange)
{
    char text[FAILURE_TEXT_BYTES_MAX];
    const struct job *job = &exchange->job;
    tally_job_failure(exchange);
    struct response_head head =
        head_of(exchange, failure_describe(exchange, text), RESPONSE_TEXT, 0);
    bool of_scan = job->kind == JOB_SCAN &&
                   (job->error == STORE_PAST_END || job->error == STORE_OTHER_RECORD ||
                    job->error == STORE_NOT_FOUND);
    head.has_tail = of_scan || job->error == STORE_OTHER_END;
    head.tail = (uint64_t)(of_scan ? job->scan.tail : job->offset);
    send_line(exchange, &head, text, strlen(text)); /* the newline replaces the NUL */
}

void response_begin(struct exchange *exchange, const char *type, uint64_t bytes)
{
    bool http_1_0 = connection_http_1_0(exchange->connection);
    if (bytes == RESPONSE_LENGTH_UNKNOWN && http_1_0)
        /* there are no chunks: only the end of the connection ends the body */
        connection_close_after_reply(exchange->connection);
    struct value_lines lines;
    struct response_head head = value_head_of(exchange, 200, type, bytes, &lines);
    exchange->chunked = bytes == RESPONSE_LENGTH_UNKNOWN && !http_1_0;
    exchange->head_lost = !add_response(connection_output(exchange->connection), &head, NULL, 0);
}

/* A piece as it goes over the wire. False: no memory. */
static bool add_piece(struct exchange *exchange, struct evbuffer *piece)
{
    struct evbuffer *output = connection_output(exchange->connection);
    if (exchange->head_lost)
        return false;
    exchange->sent_bytes += evbuffer_get_length(piece);
    if (!exchange->chunked)
        return evbuffer_add_buffer(output, piece) == 0;
    static const char digits[] = "0123456789abcdef";
    char line[CHUNK_SIZE_BYTES_MAX];
    size_t bytes = evbuffer_get_length(piece), at = sizeof(line);
    if (bytes == 0)
        return true; /* as a chunk it would be the end */
    line[--at] = '\n';
    line[--at] = '\r';
    for (; bytes > 0; bytes >>= 4)
        line[--at] = digits[bytes & 0xf];
    return evbuffer_add(output, line + at, sizeof(line) - at) == 0 &&
           evbuffer_add_buffer(output, piece) == 0 && evbuffer_add(output, "\r\n", 2) == 0;
}

bool response_overdue(const void *argument)
{
    const struct exchange *exchange = argument;
    return router_overdue(&exchange->job);
}

/* Of a response in pieces. */
static int piece_status(const struct exchange *exchange)
{
    return exchange->job.range_bytes > 0 ? 206 : 200;
}

static void piece_sent(void *argument, bool gone)
{
    struct exchange *exchange = argument;
    if (!gone && !response_overdue(exchange)) {
        exchange->next(exchange);
        return;
    }
    router_abandon(exchange->service->router, &exchange->job);
    if (gone) {
        tally_exchange(exchange, piece_status(exchange));
        finish_exchange(exchange);
    } else {
        response_abort(exchange);
    }
}

void response_piece(struct exchange *exchange, struct evbuffer *piece,
                    void (*next)(struct exchange *exchange))
{
    exchange->next = next;
    if (!add_piece(exchange, piece)) {
        router_abandon(exchange->service->router, &exchange->job);
        response_abort(exchange);
        return;
    }
    connection_send_piece(exchange->connection, piece_sent, exchange);
}

void response_last(struct exchange *exchange, struct evbuffer *piece)
{
    static const char last_chunk[] = "0\r\n\r\n";
    struct evbuffer *output = connection_output(exchange->connection);
    if (exchange->head_lost || (piece != NULL && !add_piece(exchange, piece)) ||
        (exchange->chunked && evbuffer_add(output, last_chunk, sizeof(last_chunk) - 1) != 0)) {
        response_abort(exchange);
        return;
    }
    tally_exchange(exchange, piece_status(exchange));
    send_output(exchange);
}

void response_abort(struct exchange *exchange)
{
    tally_exchange(exchange, 200);
    connection_abort(exchange->connection);
    finish_exchange(exchange);
}
