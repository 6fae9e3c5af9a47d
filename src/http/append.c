#include <event2/buffer.h>
#include <event2/http.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/json.h"
#include "http/append_request.h"
#include "http/response.h"
#include "http/service.h"
#include "work/prefix_data.h"
#include "work/router.h"

#define OFFSET_KEY "{\"offset\":"
#define FILE_BYTES_MAX (JSON_BYTES_MAX(PATH_MAX) + JSON_BYTES_MAX(PREFIX_NAME_BYTES_MAX) + 128)

/* The end of an append's answer, from the comma after the offset; one a bucket, made when it is
 * first needed. Data of the open prefix, see prefix_data_set. */
struct file_members {
    unsigned count;
    char *texts[];
};

static void free_file_members(void *data)
{
    struct file_members *members = data;
    for (unsigned i = 0; i < members->count; i++)
        free(members->texts[i]);
    free(members);
}

/* Where the member of the job's bucket is kept; NULL when out of memory. */
static char **find_file_member(const struct job *job)
{
    struct file_members *members = prefix_data_get(job);
    if (members == NULL) {
        unsigned count = prefix_data_buckets(job);
        members = calloc(1, sizeof(*members) + count * sizeof(members->texts[0]));
        if (members == NULL)
            return NULL;
        members->count = count;
        if (prefix_data_set(job, members, free_file_members) != 0) {
            free(members);
            return NULL;
        }
    }
    return &members->texts[job->bucket];
}

static void write_file_member(const struct exchange *exchange, char out[FILE_BYTES_MAX])
{
    char file[BUCKET_FILE_NAME_BYTES], prefix[JSON_BYTES_MAX(PREFIX_NAME_BYTES_MAX)];
    bucket_file_name(exchange->job.bucket, file);
    json_escape(exchange->query.prefix, prefix);
    (void)snprintf(out, FILE_BYTES_MAX, ",\"file\":\"%s/%s/%s\"}", exchange->service->root_json,
                   prefix, file);
}

static void send_offset(struct exchange *exchange, const char *file_member)
{
    char body[sizeof(OFFSET_KEY) + DECIMAL_BYTES_MAX + FILE_BYTES_MAX];
    size_t bytes = strlen(OFFSET_KEY), member_bytes = strlen(file_member);
    memcpy(body, OFFSET_KEY, bytes);
    bytes += decimal_write((uint64_t)exchange->job.offset, body + bytes);
    memcpy(body + bytes, file_member, member_bytes);
    response_whole(exchange, RESPONSE_JSON, body, bytes + member_bytes);
}

static void append_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    if (job->error != 0) {
        response_failure(exchange);
        return;
    }
    char **kept = find_file_member(job), member[FILE_BYTES_MAX];
    if (kept != NULL && *kept != NULL) {
        send_offset(exchange, *kept);
        return;
    }
    write_file_member(exchange, member);
    if (kept != NULL)
        *kept = strdup(member); /* without memory for it the next append tries again */
    send_offset(exchange, member);
}

void append_handle(struct exchange *exchange)
{
    struct evbuffer *value = evhttp_request_get_input_buffer(exchange->request);
    size_t bytes = evbuffer_get_length(value);
    uint64_t max = exchange->service->value_bytes_max;
    if (!append_request_begin(exchange))
        return;
    if (bytes == 0) {
        response_text(exchange, 400, "the value is empty");
    } else if (bytes > max) {
        response_text(exchange, 413, "the value has %zu bytes, the limit is %" PRIu64, bytes, max);
    } else {
        exchange->job.kind = JOB_APPEND;
        exchange->job.done = append_done;
        router_submit(exchange->service->router, exchange->query.prefix, &exchange->job);
    }
}
