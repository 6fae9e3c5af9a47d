#include <errno.h>
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/decimal.h"
#include "http/endpoints.h"
#include "http/response.h"
#include "http/service.h"
#include "work/prefix_data.h"
#include "work/router.h"

static bool add_slots(struct evbuffer *body, const struct slots *slots)
{
    char text[SLOTS_TEXT_BYTES];
    if (slots->count == 0)
        return true;
    manifest_format_slots(slots, text);
    return evbuffer_add_printf(body, "\"slots\":\"%s\",", text) > 0;
}

/* NULL when out of memory. */
static struct evbuffer *make_ends(const struct manifest *manifest, const int64_t *ends)
{
    struct evbuffer *body = evbuffer_new();
    if (body == NULL)
        return NULL;
    bool added = evbuffer_add_printf(body, "{\"buckets\":%u,\"hash\":\"%s\",", manifest->buckets,
                                     manifest_hash_name(manifest->hash)) > 0 &&
                 add_slots(body, &manifest->slots) && evbuffer_add_printf(body, "\"ends\":[") > 0;
    for (unsigned i = 0; added && i < manifest->buckets; i++) {
        char number[1 + DECIMAL_BYTES_MAX] = ",";
        size_t bytes = 1 + decimal_write((uint64_t)ends[i], number + 1);
        added = evbuffer_add(body, i > 0 ? number : number + 1, i > 0 ? bytes : bytes - 1) == 0;
    }
    if (added && evbuffer_add(body, "]}", 2) == 0)
        return body;
    evbuffer_free(body);
    return NULL;
}

static void ends_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    struct evbuffer *body =
        job->error == 0 ? make_ends(prefix_data_manifest(job), job->ends.ends) : NULL;
    free(job->ends.ends);
    if (job->error == 0 && body == NULL)
        job->error = -ENOMEM;
    if (job->error != 0) {
        response_failure(exchange);
        return;
    }
    job->piece = body; /* it goes with the exchange */
    response_buffer(exchange, RESPONSE_JSON, body, evbuffer_get_length(body));
}

void ends_handle(struct exchange *exchange)
{
    exchange->job.kind = JOB_ENDS;
    exchange->job.done = ends_done;
    router_submit(exchange->service->router, exchange->query.prefix, &exchange->job);
}
