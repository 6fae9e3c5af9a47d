#include <event2/http.h>

#include "http/endpoints.h"
#include "http/response.h"
#include "http/service.h"
#include "work/router.h"

static void next_piece(struct exchange *exchange)
{
    router_resume(exchange->service->router, &exchange->job);
}

/* The pieces of a long value after the first. */
static void piece_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    if (job->error != 0)
        response_abort(exchange); /* the length was promised, nothing else can tell the client */
    else if (job->more)
        response_piece(exchange, job->piece, next_piece);
    else
        response_last(exchange, job->piece);
}

static void get_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    if (job->error != 0) {
        response_failure(exchange);
    } else if (job->more) {
        job->done = piece_done;
        response_begin(exchange, RESPONSE_VALUE, job->value_bytes);
        response_piece(exchange, job->piece, next_piece);
    } else if (job->piece != NULL || job->header_only) {
        response_buffer(exchange, RESPONSE_VALUE, job->piece, job->value_bytes);
    } else {
        response_whole(exchange, RESPONSE_VALUE, job->small, job->small_bytes);
    }
}

void get_handle(struct exchange *exchange)
{
    if (!exchange->query.has_id) {
        response_text(exchange, 400, ENDPOINTS_ID_MISSING);
    } else if (!exchange->query.has_offset) {
        response_text(exchange, 400, "offset missing; give it in the query: ?id=X&offset=N");
    } else {
        exchange->job.kind = JOB_READ;
        exchange->job.header_only =
            evhttp_request_get_command(exchange->request) == EVHTTP_REQ_HEAD;
        exchange->job.done = get_done;
        router_submit(exchange->service->router, exchange->query.prefix, &exchange->job);
    }
}
