#include <event2/http.h>
#include <inttypes.h>
#include <string.h>

#include "http/endpoints.h"
#include "http/response.h"
#include "http/service.h"
#include "work/router.h"

#define LIMIT_BYTES INT64_C(1048576)
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

static void scan_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    if (job->error != 0) {
        response_failure(exchange);
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
        .has_last = query->has_last,
        .last_offset = query->last.offset,
    };
    if (query->has_last)
        memcpy(scan.last_header, query->last.header, sizeof(scan.last_header));
    return scan;
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
    } else if (query->limit > LIMIT_BYTES_MAX) {
        response_text(exchange, 400, "limit must be a whole number from 1 to %" PRId64 " here",
                      LIMIT_BYTES_MAX);
    } else {
        job->kind = JOB_SCAN;
        job->scan = scan_of(query);
        job->header_only = evhttp_request_get_command(exchange->request) == EVHTTP_REQ_HEAD;
        job->done = scan_done;
        router_submit(exchange->service->router, query->prefix, job);
    }
}
