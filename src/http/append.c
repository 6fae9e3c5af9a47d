#include <event2/buffer.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdio.h>

#include "http/endpoints.h"
#include "http/json.h"
#include "http/reply.h"
#include "http/server.h"
#include "work/router.h"

static void append_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    if (job->error != 0) {
        reply_error(exchange);
        return;
    }
    char file[BUCKET_FILE_NAME_BYTES], prefix[JSON_BYTES_MAX(PREFIX_NAME_BYTES_MAX)];
    bucket_file_name(job->bucket, file);
    json_escape(exchange->query.prefix, prefix);
    const char *root = exchange->server->root_json;
    char body[JSON_BYTES_MAX(PATH_MAX) + sizeof(prefix) + 128];
    int bytes = snprintf(body, sizeof(body), "{\"offset\":%" PRId64 ",\"file\":\"%s/%s/%s\"}",
                         job->offset, root, prefix, file);
    reply_whole(exchange, REPLY_JSON, body, (size_t)bytes);
}

void append_handle(struct exchange *exchange)
{
    struct evbuffer *value = evhttp_request_get_input_buffer(exchange->request);
    size_t bytes = evbuffer_get_length(value);
    uint64_t max = exchange->server->options.max_value_bytes;
    if (!exchange->query.has_id) {
        reply_text(exchange, HTTP_BADREQUEST, "id missing or empty");
    } else if (bytes == 0) {
        reply_text(exchange, HTTP_BADREQUEST, "the value is empty");
    } else if (bytes > max) {
        reply_text(exchange, HTTP_ENTITYTOOLARGE, "the value has %zu bytes, the limit is %" PRIu64,
                   bytes, max);
    } else {
        exchange->job.kind = JOB_APPEND;
        exchange->job.value = value;
        exchange->job.sync = exchange->query.sync;
        exchange->job.done = append_done;
        router_submit(exchange->server->router, exchange->query.prefix, &exchange->job);
    }
}
