#include "fuzz/requests.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "http/endpoints.h"
#include "net/framing.h"
#include "net/head.h"

#define LIST_PATH "/appendMulti"

static const struct framing_limit limits[] = {
    {"/append", REQUESTS_VALUE_BYTES_MAX, "too large", NULL},
    {LIST_PATH, REQUESTS_LIST_BYTES_MAX, "too large", NULL},
    {"/getMulti", GET_MULTI_BODY_BYTES_MAX, "too large", NULL},
    {NULL, GET_MULTI_BODY_BYTES_MAX, "too large", NULL},
};
static const char *const forwarded[] = {"Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", NULL};
const struct framing_rules requests_rules = {.limits = limits, .forwarded = forwarded};

/* Framing has found it well-formed, so only the size lines are of interest. */
static void join_chunks(struct requests *requests, struct request *request, const uint8_t *at)
{
    size_t size;
    request->body = requests->bodies + requests->bodies_bytes;
    request->body_bytes = 0;
    do {
        char *end;
        size = strtoull((const char *)at, &end, 16);
        at = (const uint8_t *)end + 2;
        memcpy(requests->bodies + requests->bodies_bytes, at, size);
        requests->bodies_bytes += size;
        request->body_bytes += size;
        at += size + 2;
    } while (size > 0);
}

static bool begins_with(const uint8_t *bytes, size_t length, const char *text)
{
    return length >= strlen(text) && memcmp(bytes, text, strlen(text)) == 0;
}

static void add(struct requests *requests, const struct framing_limit *limit, const uint8_t *bytes,
                size_t length)
{
    if (begins_with(bytes, length, "\r\n")) { /* framing skips it */
        bytes += 2;
        length -= 2;
    }
    const uint8_t *end = memmem(bytes, length, "\r\n\r\n", 4);
    struct request *request = &requests->list[requests->count++];
    if (end == NULL || requests->count == REQUESTS_MAX)
        abort();
    size_t head_bytes = (size_t)(end - bytes) + 4;
    request->is_head = begins_with(bytes, length, "HEAD ");
    request->is_options = begins_with(bytes, length, "OPTIONS ");
    request->is_list = limit->path != NULL && strcmp(limit->path, LIST_PATH) == 0;
    request->body = bytes + head_bytes;
    request->body_bytes = length - head_bytes;
    char head[HEAD_BYTES_MAX + 1];
    memcpy(head, bytes, head_bytes);
    head[head_bytes] = '\0';
    const char *path = strstr(head, "/scan"), *line_end = strstr(head, "\r\n");
    request->is_scan = path != NULL && line_end != NULL && path < line_end;
    if (strcasestr(head, "\r\nTransfer-Encoding:") != NULL)
        join_chunks(requests, request, request->body);
}

void requests_split(struct requests *requests, const struct framing_rules *rules,
                    const uint8_t *bytes, size_t length)
{
    struct framing framing;
    struct framing_verdict verdict;
    struct evbuffer *inbox = evbuffer_new(), *output = evbuffer_new();
    /* a NUL after the bytes ends the last number, whatever it is */
    uint8_t *bodies = realloc(requests->bodies, length + 1);
    if (inbox == NULL || output == NULL || bodies == NULL ||
        evbuffer_add(inbox, bytes, length) != 0)
        abort();
    requests->bodies = bodies;
    requests->bodies_bytes = requests->count = 0;
    framing_init(&framing, rules);
    const uint8_t *from = bytes;
    while ((verdict = framing_scan(&framing, inbox, output)).complete) {
        const uint8_t *to = bytes + length - evbuffer_get_length(inbox);
        add(requests, framing.limit, from, (size_t)(to - from));
        from = to;
    }
    requests->refused = verdict.refused != 0;
    framing_free(&framing);
    evbuffer_free(inbox);
    evbuffer_free(output);
}
