#include <event2/http.h>

#include "http/endpoints.h"
#include "http/reply.h"
#include "http/server.h"
#include "work/router.h"

static void next_piece(struct exchange *exchange)
{
    router_resume(exchange->server->router, &exchange->job);
}

/* The pieces of a long value after the first. */
static void piece_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    if (job->error != 0)
        reply_cut(exchange); /* the length was promised, nothing else can tell the client */
    else if (job->more)
        reply_piece(exchange, job->piece, next_piece);
    else
        reply_last(exchange, job->piece);
}

static void get_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    if (job->error != 0) {
        reply_error(exchange);
    } else if (job->more) {
        job->done = piece_done;
        reply_begin(exchange, REPLY_VALUE, job->value_bytes);
        reply_piece(exchange, job->piece, next_piece);
    } else if (job->piece != NULL || job->header_only) {
        reply_buffer(exchange, REPLY_VALUE, job->piece, job->value_bytes);
    } else {
        reply_whole(exchange, REPLY_VALUE, job->small, job->small_bytes);
    }
}

void get_handle(struct exchange *exchange)
{
    if (!exchange->query.has_id) {
        reply_text(exchange, HTTP_BADREQUEST, "id missing or empty");
    } else if (!exchange->query.has_offset) {
        reply_text(exchange, HTTP_BADREQUEST, "offset missing");
    } else {
        exchange->job.kind = JOB_READ;
        exchange->job.header_only =
            evhttp_request_get_command(exchange->request) == EVHTTP_REQ_HEAD;
        exchange->job.done = get_done;
        router_submit(exchange->server->router, exchange->query.prefix, &exchange->job);
    }
}
