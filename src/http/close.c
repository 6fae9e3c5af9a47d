#include <string.h>

#include "http/endpoints.h"
#include "http/reply.h"
#include "http/server.h"
#include "work/router.h"

static void close_done(struct job *job)
{
    static const char success[] = "{\"success\":true}";
    struct exchange *exchange = exchange_of(job);
    if (job->error != 0)
        reply_error(exchange);
    else
        reply_whole(exchange, REPLY_JSON, success, strlen(success));
}

void close_handle(struct exchange *exchange)
{
    exchange->job.kind = JOB_CLOSE;
    exchange->job.done = close_done;
    router_submit(exchange->server->router, exchange->query.prefix, &exchange->job);
}
