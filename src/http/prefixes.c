#include <errno.h>
#include <event2/buffer.h>
#include <string.h>

#include "http/endpoints.h"
#include "http/response.h"
#include "http/service.h"
#include "store/prefix_list.h"
#include "work/router.h"

/* A quote, each byte as %XX, a quote, and a comma. */
#define NAME_BYTES_MAX (3 * PREFIX_NAME_BYTES_MAX + 3)

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

/* As the storagePrefix parameter takes it, so whatever its bytes are. Returns its length. */
static size_t write_name(const char *name, char out[NAME_BYTES_MAX])
{
    static const char digits[] = "0123456789ABCDEF";
    char *at = out;
    *at++ = '"';
    for (; *name != '\0'; name++) {
        unsigned char byte = (unsigned char)*name;
        if (is_unreserved(*name)) {
            *at++ = *name;
        } else {
            *at++ = '%';
            *at++ = digits[byte >> 4];
            *at++ = digits[byte & 0xf];
        }
    }
    *at++ = '"';
    return (size_t)(at - out);
}

/* NULL when out of memory. */
static struct evbuffer *make_page(const struct prefix_list *list)
{
    struct evbuffer *body = evbuffer_new();
    if (body == NULL)
        return NULL;
    bool added = evbuffer_add_printf(body, "{\"prefixes\":[") > 0;
    for (unsigned i = 0; added && i < list->count; i++) {
        char name[NAME_BYTES_MAX] = ",";
        size_t comma = i > 0 ? 1 : 0, bytes = write_name(list->names[i], name + comma);
        added = evbuffer_add(body, name, comma + bytes) == 0;
    }
    if (added && evbuffer_add_printf(body, "],\"more\":%s}", list->more ? "true" : "false") > 0)
        return body;
    evbuffer_free(body);
    return NULL;
}

static void prefixes_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    struct evbuffer *body = job->error == 0 ? make_page(job->prefixes) : NULL;
    prefix_list_free(job->prefixes);
    if (job->error == 0 && body == NULL)
        job->error = -ENOMEM;
    if (job->error != 0) {
        response_failure(exchange);
        return;
    }
    job->piece = body; /* it goes with the exchange */
    response_buffer(exchange, RESPONSE_JSON, body, evbuffer_get_length(body));
}

void prefixes_handle(struct exchange *exchange)
{
    const struct query *query = &exchange->query;
    struct job *job = &exchange->job;
    if (query->limit > PREFIXES_MAX) {
        response_text(exchange, 400, "limit must be a whole number from 1 to %d here",
                      PREFIXES_MAX);
        return;
    }
    job->done = prefixes_done;
    job->prefixes =
        prefix_list_new(query->after, query->limit > 0 ? (unsigned)query->limit : PREFIXES_MAX);
    if (job->prefixes == NULL)
        response_text(exchange, 503, "out of memory");
    else
        router_list(exchange->service->router, job);
}
