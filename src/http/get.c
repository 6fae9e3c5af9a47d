#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdbool.h>

#include "http/conditions.h"
#include "http/endpoints.h"
#include "http/response.h"
#include "http/service.h"
#include "http/tally.h"
#include "work/router.h"

static void next_piece(struct exchange *exchange)
{
    router_resume(exchange->service->router, &exchange->job);
}

/* The pieces of a long value after the first. */
static void piece_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    if (job->error != 0) {
        tally_job_failure(exchange);
        response_abort(exchange); /* the length was promised, nothing else can tell the client */
    } else if (job->more) {
        response_piece(exchange, job->piece, next_piece);
    } else {
        response_last(exchange, job->piece);
    }
}

static void get_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    uint64_t bytes = job->range_bytes > 0 ? job->range_bytes : job->value_bytes;
    if (job->error != 0) {
        response_failure(exchange);
    } else if (job->more) {
        job->done = piece_done;
        response_begin(exchange, RESPONSE_VALUE, bytes);
        response_piece(exchange, job->piece, next_piece);
    } else if (job->piece != NULL || job->header_only) {
        response_buffer(exchange, RESPONSE_VALUE, job->piece, bytes);
    } else {
        response_whole(exchange, RESPONSE_VALUE, job->small, job->small_bytes);
    }
}

static bool asks_for_head(const struct exchange *exchange)
{
    return evhttp_request_get_command(exchange->request) == EVHTTP_REQ_HEAD;
}

static struct conditions conditions_of(const struct exchange *exchange)
{
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(exchange->request);
    return (struct conditions){.range = evhttp_find_header(headers, "Range"),
                               .if_range = evhttp_find_header(headers, "If-Range"),
                               .if_none_match = evhttp_find_header(headers, "If-None-Match"),
                               .if_modified_since =
                                   evhttp_find_header(headers, "If-Modified-Since")};
}

/* The header of the record is known, and with it what is wanted of the value. */
static void header_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    if (job->error != 0) {
        response_failure(exchange);
        return;
    }
    struct conditions conditions = conditions_of(exchange);
    struct conditions_value value = {job->value_bytes, job->time_ns};
    struct conditions_verdict verdict =
        conditions_check(&conditions, &value, !asks_for_head(exchange));
    if (verdict.status == 304) {
        response_not_modified(exchange);
    } else if (verdict.status == 416) {
        response_no_such_range(exchange);
    } else if (asks_for_head(exchange)) {
        get_done(job);
    } else {
        job->header_only = false;
        job->range_first = verdict.first;
        job->range_bytes = verdict.bytes;
        job->done = get_done;
        router_submit(exchange->service->router, exchange->query.prefix, job);
    }
}

void get_handle(struct exchange *exchange)
{
    struct conditions conditions = conditions_of(exchange);
    if (!exchange->query.has_id) {
        response_text(exchange, 400, ENDPOINTS_ID_MISSING);
    } else if (!exchange->query.has_offset) {
        response_text(exchange, 400, "offset missing; give it in the query: ?id=X&offset=N");
    } else {
        exchange->job.kind = JOB_READ;
        exchange->job.header_only = asks_for_head(exchange) || conditions_any(&conditions);
        exchange->job.done = exchange->job.header_only ? header_done : get_done;
        router_submit(exchange->service->router, exchange->query.prefix, &exchange->job);
    }
}
