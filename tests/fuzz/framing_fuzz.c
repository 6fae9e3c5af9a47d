/*
 * Fuzz target: framing, head and query alone, without sockets and files, which
 * is many times faster. The bytes of an input are what a client sends.
 *   - where requests end does not depend on how the bytes are cut up;
 *   - an accepted head has nothing that two parsers could read differently;
 *   - an accepted query has a valid prefix and offset.
 */
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/query.h"
#include "net/framing.h"

#define REQUESTS_MAX 4096
#define HEAD_TEXT_BYTES (FRAMING_HEAD_BYTES_MAX + 1)

static const struct framing_limit limits[] = {
    {"/append", 1000, "too large"}, {"/getMulti", 4000, "too large"}, {NULL, 5000, "too large"}};

struct outcome {
    size_t count, ends[REQUESTS_MAX];
    int refused;
    bool midway;
};

static void need(bool good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "broken: %s\n", what);
    abort();
}

/* The requests found in the bytes if they come `step` at a time. */
static void feed(const uint8_t *bytes, size_t length, size_t step, struct outcome *outcome)
{
    struct framing framing;
    struct framing_verdict verdict = {0};
    struct evbuffer *inbox = evbuffer_new();
    size_t fed = 0, taken = 0;
    need(inbox != NULL, "out of memory");
    framing_init(&framing, limits);
    outcome->count = 0;
    while (verdict.refused == 0 && fed < length) {
        size_t now = step < length - fed ? step : length - fed;
        need(evbuffer_add(inbox, bytes + fed, now) == 0, "out of memory");
        fed += now;
        do {
            verdict = framing_scan(&framing, inbox);
            need(verdict.ready_bytes <= evbuffer_get_length(inbox), "more ready than there is");
            need(verdict.refused == 0 || verdict.why != NULL, "refused without a reason");
            need(evbuffer_drain(inbox, verdict.ready_bytes) == 0, "cannot drain");
            taken += verdict.ready_bytes;
            if (verdict.complete)
                outcome->ends[outcome->count++] = taken;
        } while (verdict.refused == 0 && verdict.ready_bytes > 0);
        need(verdict.refused != 0 || framing_midway(&framing, inbox) == (taken < fed) ||
                 framing.state != FRAMING_HEAD,
             "an end that is none");
    }
    outcome->refused = verdict.refused;
    outcome->midway = framing_midway(&framing, inbox);
    evbuffer_free(inbox);
}

static void check_same(const struct outcome *one, const struct outcome *other)
{
    need(one->count == other->count && one->refused == other->refused &&
             (one->refused != 0 || one->midway == other->midway) &&
             memcmp(one->ends, other->ends, one->count * sizeof(one->ends[0])) == 0,
         "cut up in another way they are other requests");
}

/* Only CR LF, no other control characters but a tab, no NUL. */
static void check_lines(const char *head, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)head[i];
        if (c == '\r')
            need(head[i + 1] == '\n', "a bare carriage return was taken");
        else if (c == '\n')
            need(i > 0 && head[i - 1] == '\r', "a bare line feed was taken");
        else
            need((c >= ' ' || c == '\t') && c != 0x7f, "a control character was taken");
    }
}

/* How many headers have this name, if whatever could be taken for it counts. */
static unsigned count_headers(const char *head, const char *name)
{
    unsigned count = 0;
    for (const char *at = strstr(head, "\r\n"); at != NULL; at = strstr(at + 2, "\r\n")) {
        const char *from = at + 2 + strspn(at + 2, " \t");
        count += strncasecmp(from, name, strlen(name)) == 0 &&
                 from[strlen(name) + strspn(from + strlen(name), " \t")] == ':';
    }
    return count;
}

static void check_query(const char *head)
{
    struct query query;
    char target[HEAD_TEXT_BYTES];
    const char *question = strchr(head, '?'), *end = strchr(strchr(head, ' ') + 1, ' ');
    if (question == NULL || question > end)
        return;
    size_t bytes = (size_t)(end - question - 1);
    memcpy(target, question + 1, bytes);
    target[bytes] = '\0';
    if (query_parse(target, &query) != NULL)
        return;
    need(query.offset >= 0, "a negative offset was taken");
    need(prefix_name_valid(query.prefix, strlen(query.prefix)), "a bad prefix was taken");
}

static void check_head(const uint8_t *request, size_t length)
{
    static char head[HEAD_TEXT_BYTES];
    const uint8_t *end = memmem(request, length, "\r\n\r\n", 4);
    need(end != NULL, "a request without the end of its head");
    size_t bytes = (size_t)(end - request) + 4;
    need(bytes < sizeof(head), "a head over the limit was taken");
    memcpy(head, request, bytes);
    head[bytes] = '\0';
    check_lines(head, bytes);
    unsigned lengths = count_headers(head, "Content-Length"),
             encodings = count_headers(head, "Transfer-Encoding");
    need(lengths + encodings <= 1, "the body has two lengths");
    need(count_headers(head, "Host") <= 1, "two hosts were taken");
    need((length > bytes) <= (lengths + encodings == 1), "a body without a length");
    check_query(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 7, 100};
    static struct outcome whole, cut;
    if (size > 16 * REQUESTS_MAX) /* no request is shorter */
        return 0;
    feed(data, size, size, &whole);
    /* a byte at a time takes long when there are many */
    for (size_t i = size > 2000 ? 3 : 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        feed(data, size, steps[i], &cut);
        check_same(&whole, &cut);
    }
    for (size_t i = 0, from = 0; i < whole.count; from = whole.ends[i++])
        check_head(data + from, whole.ends[i] - from);
    return 0;
}
