#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <inttypes.h>
#include <string.h>

#include "http/endpoints.h"
#include "http/response.h"
#include "http/service.h"
#include "net/connection.h"
#include "work/router.h"

#define LIMIT_BYTES INT64_C(1048576)
#define NS_PER_US 1000
#define LOOK_NS (CLOCK_NS_PER_SECOND / 2)
#define LIMIT_BYTES_MAX (64 * LIMIT_BYTES)

static void next_scan_piece(struct exchange *exchange)
{
    router_resume(exchange->service->router, &exchange->job);
}

/* The pieces after the first. */
static void scan_piece_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    if (job->error != 0)
        response_abort(exchange); /* the length was promised, nothing else can tell the client */
    else if (job->more)
        response_piece(exchange, job->piece, next_scan_piece);
    else
        response_last(exchange, job->piece);
}

static void submit(struct exchange *exchange);

/* It has waited, and does no more. */
static void end_wait(struct exchange *exchange)
{
    event_free(exchange->wait.timer);
    LIST_REMOVE(exchange, wait.entry);
    exchange->service->waiting--;
    /* how long a request takes is told without it */
    exchange->begun_ns += service_now_ns(exchange->service) - exchange->wait.begun_ns;
}

/* Unless it was woken, which will go on with it. */
static void answer_at_end(struct exchange *exchange)
{
    if (!router_stop_waiting(exchange->service->router, &exchange->job))
        return;
    end_wait(exchange);
    response_nothing(exchange);
}

static void on_client_ended(void *argument)
{
    answer_at_end(argument);
}

static void go_on(void *argument)
{
    submit(argument);
}

/* Of the wait, or until the next look. */
static void on_time_over(evutil_socket_t fd, short what, void *argument)
{
    struct exchange *exchange = argument;
    (void)fd;
    (void)what;
    if (service_now_ns(exchange->service) >= exchange->wait.until_ns) {
        answer_at_end(exchange);
    } else if (router_stop_waiting(exchange->service->router, &exchange->job)) {
        end_wait(exchange);
        connection_go_on(exchange->connection, go_on, exchange);
    }
}

static void on_woken(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    end_wait(exchange);
    if (job->scan.closed || exchange->service->stopping)
        response_nothing(exchange);
    else
        connection_go_on(exchange->connection, go_on, exchange);
}

/* True if there is a timer for the rest of the wait, or, as nothing tells this server of appends
 * that somebody else writes, until it looks again. */
static bool set_timer(struct exchange *exchange, uint64_t left_ns)
{
    if (exchange->service->read_only && left_ns > LOOK_NS)
        left_ns = LOOK_NS;
    struct event_base *base =
        evhttp_connection_get_base(evhttp_request_get_connection(exchange->request));
    const struct timeval left = {.tv_sec = (time_t)(left_ns / CLOCK_NS_PER_SECOND),
                                 .tv_usec =
                                     (suseconds_t)(left_ns % CLOCK_NS_PER_SECOND / NS_PER_US)};
    exchange->wait.timer = evtimer_new(base, on_time_over, exchange);
    if (exchange->wait.timer != NULL && event_add(exchange->wait.timer, &left) == 0)
        return true;
    if (exchange->wait.timer != NULL)
        event_free(exchange->wait.timer);
    return false;
}

static void fail_without_memory(struct exchange *exchange)
{
    exchange->job.error = -ENOMEM;
    response_failure(exchange);
}

/* For what is left of the time. False: that there is none, or no memory, is answered. */
static bool begin_wait(struct exchange *exchange)
{
    struct service *service = exchange->service;
    uint64_t now = service_now_ns(service);
    if (exchange->wait.until_ns == 0)
        exchange->wait.until_ns = now + exchange->query.wait_s * CLOCK_NS_PER_SECOND;
    if (now >= exchange->wait.until_ns || service->stopping) {
        response_nothing(exchange);
        return false;
    }
    if (!set_timer(exchange, exchange->wait.until_ns - now)) {
        fail_without_memory(exchange);
        return false;
    }
    exchange->wait.begun_ns = now;
    LIST_INSERT_HEAD(&service->waits, exchange, wait.entry);
    service->waiting++;
    return true;
}

static void wait_at_end(struct exchange *exchange)
{
    exchange->wait.tail = exchange->job.scan.tail;
    if (!begin_wait(exchange))
        return;
    switch (router_wait(&exchange->job, on_woken)) {
    case SCAN_WAITS:
        connection_wait(exchange->connection, on_client_ended, exchange);
        break;
    case SCAN_WAITS_AGAIN:
        end_wait(exchange);
        submit(exchange);
        break;
    case SCAN_WAITS_CLOSED:
        end_wait(exchange);
        response_nothing(exchange);
        break;
    case SCAN_WAITS_NO_MEMORY:
        end_wait(exchange);
        fail_without_memory(exchange);
        break;
    }
}

/* It has waited, and when it was woken with many others its worker had too much to do. */
static void wait_for_turn(struct exchange *exchange)
{
    struct job *job = &exchange->job;
    if (!job->scan.no_slot) {
        response_failure(exchange);
        return;
    }
    job->scan.next = job->offset; /* if the time is over it is told what it was told before */
    job->scan.tail = exchange->wait.tail;
    job->error = 0;
    if (!begin_wait(exchange))
        return;
    router_wait_turn(exchange->service->router, job, on_woken);
    connection_wait(exchange->connection, on_client_ended, exchange);
}

void scan_end_waits(struct service *service)
{
    struct exchange *exchange, *next;
    for (exchange = LIST_FIRST(&service->waits); exchange != NULL; exchange = next) {
        next = LIST_NEXT(exchange, wait.entry);
        answer_at_end(exchange);
    }
}

static void scan_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    if (job->error == JOB_TOO_MANY_IN_FLIGHT && exchange->wait.until_ns != 0) {
        wait_for_turn(exchange);
    } else if (job->error != 0) {
        response_failure(exchange);
    } else if (job->scan.at_end) {
        wait_at_end(exchange);
    } else if (job->scan.bytes == 0) {
        response_nothing(exchange);
    } else if (job->more) {
        job->done = scan_piece_done;
        response_begin(exchange, RESPONSE_VALUE, job->scan.bytes);
        response_piece(exchange, job->piece, next_scan_piece);
    } else {
        response_buffer(exchange, RESPONSE_VALUE, job->piece, job->scan.bytes);
    }
}

static struct job_scan scan_of(const struct query *query)
{
    struct job_scan scan = {
        .by_bucket = query->has_bucket,
        .bucket = query->bucket,
        .limit_bytes = (uint64_t)(query->limit > 0 ? query->limit : LIMIT_BYTES),
        .synced = query->synced,
        .follows = query->wait_s > 0,
        .has_last = query->has_last,
        .last_offset = query->last.offset,
    };
    if (query->has_last)
        memcpy(scan.last_header, query->last.header, sizeof(scan.last_header));
    return scan;
}

/* For the first time, or after a wait. */
static void submit(struct exchange *exchange)
{
    const struct query *query = &exchange->query;
    struct job *job = &exchange->job;
    job->scan = scan_of(query);
    job->offset = query->offset;
    router_submit(exchange->service->router, query->prefix, job);
}

void scan_handle(struct exchange *exchange)
{
    const struct query *query = &exchange->query;
    struct job *job = &exchange->job;
    if (query->has_id == query->has_bucket) {
        response_text(exchange, 400, "give bucket or id in the query, and not both: ?bucket=N");
    } else if (!query->has_offset) {
        response_text(exchange, 400,
                      "offset missing; give it in the query: ?bucket=N&offset=0 for the first "
                      "record");
    } else if (query->synced && exchange->service->read_only) {
        response_text(exchange, 403,
                      "this server only reads (-read-only) and syncs nothing; ask the one that "
                      "writes, or without synced");
    } else if (query->limit > LIMIT_BYTES_MAX) {
        response_text(exchange, 400, "limit must be a whole number from 1 to %" PRId64 " here",
                      LIMIT_BYTES_MAX);
    } else {
        job->kind = JOB_SCAN;
        job->header_only = evhttp_request_get_command(exchange->request) == EVHTTP_REQ_HEAD;
        job->done = scan_done;
        exchange->wait.until_ns = 0;
        submit(exchange);
    }
}
