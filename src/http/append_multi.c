#include <event2/buffer.h>
#include <inttypes.h>

#include "http/append_request.h"
#include "http/endpoints.h"
#include "http/response.h"
#include "http/service.h"
#include "work/job_values.h"
#include "work/router.h"

/* A list up to this long is looked at here, in 100 microseconds at most: it is not worth the way
 * to a worker and back. */
#define CHECKED_HERE_BYTES_MAX (64 * 1024)

static void append_multi_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    if (job->error != 0)
        response_failure(exchange);
    else
        response_buffer(exchange, RESPONSE_VALUE, job->piece, evbuffer_get_length(job->piece));
}

static void refuse_list(struct exchange *exchange)
{
    const struct job_values *values = &exchange->job.values;
    const struct value_list_content *found = &values->found;
    switch (found->fault) {
    case VALUE_LIST_EMPTY_VALUE:
        response_text(exchange, 400, "value %" PRIu32 ", from 0, has length 0", found->count);
        break;
    case VALUE_LIST_CUT_LENGTH:
        response_text(exchange, 400,
                      "value %" PRIu32 ", from 0, is cut short: %" PRIu64 " bytes of its length, "
                      "which has 4",
                      found->count, found->left_bytes);
        break;
    case VALUE_LIST_CUT_VALUE:
        response_text(exchange, 400,
                      "value %" PRIu32 ", from 0, is cut short: it has %" PRIu64 " bytes, and its "
                      "length says %" PRIu32,
                      found->count, found->left_bytes, found->last_bytes);
        break;
    case VALUE_LIST_TOO_LONG:
        response_text(exchange, 413,
                      "value %" PRIu32 ", from 0, has %" PRIu32 " bytes, the limit is %" PRIu32,
                      found->count, found->last_bytes, values->limits.value_bytes_max);
        break;
    case VALUE_LIST_TOO_MANY:
        response_text(exchange, 413, "more than %" PRIu32 " values, which is the limit",
                      found->count);
        break;
    case VALUE_LIST_GOOD:
        response_text(exchange, 400,
                      "there is no value; send for each its length, 4 bytes "
                      "little-endian, and the value");
        break;
    }
}

/* The list was looked at. */
static void values_checked(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    if (job->error != 0) {
        response_failure(exchange);
    } else if (job->values.found.fault != VALUE_LIST_GOOD || job->values.found.count == 0) {
        refuse_list(exchange);
    } else {
        job->kind = JOB_APPEND_MULTI;
        job->done = append_multi_done;
        router_submit(exchange->service->router, exchange->query.prefix, job);
    }
}

void append_multi_handle(struct exchange *exchange)
{
    struct job *job = &exchange->job;
    if (!append_request_begin(exchange))
        return;
    job->kind = JOB_CHECK_VALUES;
    job->values.limits =
        (struct value_list_limits){.count_max = JOB_OFFSETS_MAX,
                                   .value_bytes_max = (uint32_t)exchange->service->value_bytes_max};
    if (evbuffer_get_length(job->value) > CHECKED_HERE_BYTES_MAX) {
        job->done = values_checked;
        router_check_values(exchange->service->router, job);
        return;
    }
    job->bucket = PREFIX_DIRECTORY; /* what an error is about: no bucket was tried */
    job->error = job_values_check(job);
    values_checked(job);
}
