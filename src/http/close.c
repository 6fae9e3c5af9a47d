#include <string.h>

#include "http/endpoints.h"
#include "http/response.h"
#include "http/service.h"
#include "work/router.h"

static void close_done(struct job *job)
{
    static const char success[] = "{\"success\":true}";
    struct exchange *exchange = exchange_of(job);
    if (job->error != 0)
        response_failure(exchange);
    else
        response_whole(exchange, RESPONSE_JSON, success, strlen(success));
}

void close_handle(struct exchange *exchange)
{
    exchange->job.kind = JOB_CLOSE;
    exchange->job.done = close_done;
    router_submit(exchange->service->router, exchange->query.prefix, &exchange->job);
}
