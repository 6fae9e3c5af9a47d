/*
 * Fuzz target: framing, head and query alone, without sockets and files, so
 * many times as fast. The bytes of an input are what a client sends.
 *   - where requests end, and what evhttp is given of them, does not depend on
 *     how the bytes are cut up;
 *   - evhttp is given one plain request at a time: a path, the header lines that
 *     are forwarded, one length if there is a body, and the bytes of that body
 *     as a reader of chunks that shares no code with framing puts them together;
 *   - what is plain stays as it is if it is sent again;
 *   - a query that is taken has a valid prefix and offset.
 */
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/requests.h"
#include "http/query.h"
#include "net/framing.h"
#include "net/head.h"

#define INPUT_BYTES_MAX (16 * REQUESTS_MAX) /* no request is shorter */
#define OUTPUT_BYTES_MAX (2 * INPUT_BYTES_MAX + HEAD_WRITTEN_BYTES_MAX)

static const struct framing_limit limits[] = {{"/append", 1000, "too large", NULL},
                                              {"/appendMulti", 2000, "too large", NULL},
                                              {"/getMulti", 4000, "too large", NULL},
                                              {NULL, 5000, "too large", NULL}};
static const char *const forwarded[] = {"Range", "Origin", NULL};
static const struct framing_rules rules = {.limits = limits, .forwarded = forwarded};

struct outcome {
    size_t count, ends[REQUESTS_MAX], output_ends[REQUESTS_MAX];
    char output[OUTPUT_BYTES_MAX];
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

/* A request is complete: evhttp takes it. */
static void take(struct outcome *outcome, size_t end, struct evbuffer *output)
{
    size_t used = outcome->count > 0 ? outcome->output_ends[outcome->count - 1] : 0,
           bytes = evbuffer_get_length(output);
    need(outcome->count < REQUESTS_MAX, "more requests than bytes");
    need(bytes <= OUTPUT_BYTES_MAX - used, "more output than input");
    need(evbuffer_remove(output, outcome->output + used, bytes) == (int)bytes, "cannot remove");
    outcome->output_ends[outcome->count] = used + bytes;
    outcome->ends[outcome->count++] = end;
}

/* What becomes of the bytes if they come `step` at a time. */
static void feed(const uint8_t *bytes, size_t length, size_t step, struct outcome *outcome)
{
    struct framing framing;
    struct framing_verdict verdict = {0};
    struct evbuffer *inbox = evbuffer_new(), *output = evbuffer_new();
    size_t fed = 0;
    need(inbox != NULL && output != NULL, "out of memory");
    framing_init(&framing, &rules);
    outcome->count = 0;
    while (verdict.refused == 0 && fed < length) {
        size_t now = step < length - fed ? step : length - fed;
        need(evbuffer_add(inbox, bytes + fed, now) == 0, "out of memory");
        fed += now;
        while ((verdict = framing_scan(&framing, inbox, output)).complete)
            take(outcome, fed - evbuffer_get_length(inbox), output);
        need(verdict.refused == 0 || verdict.why != NULL, "refused without a reason");
        need(verdict.refused != 0 || framing.state == FRAMING_HEAD ||
                 framing_body_bytes(&framing) <= framing.limit->body_bytes_max,
             "a body over its limit");
        need(verdict.refused != 0 || evbuffer_get_length(inbox) < HEAD_BYTES_MAX,
             "waits for more, and has enough to decide");
    }
    outcome->refused = verdict.refused;
    outcome->midway = framing_midway(&framing, inbox);
    framing_free(&framing);
    evbuffer_free(inbox);
    evbuffer_free(output);
}

static void check_same(const struct outcome *one, const struct outcome *other)
{
    need(one->count == other->count && one->refused == other->refused &&
             (one->refused != 0 || one->midway == other->midway) &&
             memcmp(one->ends, other->ends, one->count * sizeof(one->ends[0])) == 0,
         "cut up in another way they are other requests");
    need(memcmp(one->output_ends, other->output_ends, one->count * sizeof(one->ends[0])) == 0 &&
             (one->count == 0 ||
              memcmp(one->output, other->output, one->output_ends[one->count - 1]) == 0),
         "cut up in another way evhttp is given something else");
}

/* Cuts off the text before `delimiter`, which must be there. */
static char *cut(char **text, const char *delimiter, const char *what)
{
    char *begin = *text, *end = strstr(begin, delimiter);
    need(end != NULL, what);
    *end = '\0';
    *text = end + strlen(delimiter);
    return begin;
}

static bool any_of(const char *text, const char *const list[])
{
    while (*list != NULL && strcasecmp(text, *list) != 0)
        list++;
    return *list != NULL;
}

static void check_query(const char *target)
{
    struct query query;
    const char *question = strchr(target, '?');
    if (question == NULL || query_parse(question + 1, &query) != NULL)
        return;
    need(query.offset >= 0, "a negative offset was taken");
    need(prefix_name_valid(query.prefix, strlen(query.prefix)), "a bad prefix was taken");
}

/* Answers whether there may be a body. */
static bool check_request_line(char *line)
{
    static const char *const with_body[] = {"POST", "PUT", "PATCH", "DELETE", NULL},
                             *const without[] = {"GET", "HEAD", "OPTIONS", NULL};
    const char *method = cut(&line, " ", "no method"), *target = cut(&line, " ", "no target");
    need(strcmp(line, "HTTP/1.1") == 0, "another version");
    need(any_of(method, with_body) || any_of(method, without), "another method");
    need(target[0] == '/' || (strcmp(target, "*") == 0 && strcmp(method, "OPTIONS") == 0),
         "a target that is no path");
    need(strpbrk(target, "\t#") == NULL, "a target with what none has");
    check_query(target);
    return any_of(method, with_body);
}

/* "Content-Length" is counted, in `*length`; 0 if there is none. */
static void check_header(char *line, bool first, size_t *length)
{
    char *value = line, *end;
    const char *name = cut(&value, ": ", "a header line without a colon and a space");
    if (strcmp(name, "Content-Length") == 0) {
        need(*length == 0, "two lengths");
        need(value[0] >= '1' && value[0] <= '9', "a length that does not begin with a digit");
        *length = strtoull(value, &end, 10);
        need(*end == '\0', "a length that is no number");
        return;
    }
    need(*length == 0, "a header line behind the length");
    need(any_of(name, forwarded) || (first && strcmp(name, "Host") == 0),
         "a header line that is not forwarded");
    need(strchr(" \t", value[0]) == NULL || value[0] == '\0', "a value that is not trimmed");
    need(value[0] == '\0' || strchr(" \t", value[strlen(value) - 1]) == NULL,
         "a value that is not trimmed");
}

/* Only CR LF, no other control characters but a tab, no NUL. */
static void check_lines(const char *head, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)head[i];
        if (c == '\r')
            need(head[i + 1] == '\n', "a bare carriage return");
        else if (c == '\n')
            need(i > 0 && head[i - 1] == '\r', "a bare line feed");
        else
            need((c >= ' ' || c == '\t') && c != 0x7f, "a control character");
    }
}

/* Request line, header lines, and the body that the client has sent. */
static void check_plain(const char *output, size_t length, const struct request *sent)
{
    static char head[HEAD_WRITTEN_BYTES_MAX + 64]; /* with the length of the body */
    const char *end = memmem(output, length, "\r\n\r\n", 4);
    need(end != NULL, "no end of the head");
    size_t bytes = (size_t)(end - output) + 4, body_bytes = 0;
    need(bytes < sizeof(head), "a head over the limit");
    memcpy(head, output, bytes);
    head[bytes] = '\0';
    check_lines(head, bytes);
    char *rest = head;
    bool body_allowed = check_request_line(cut(&rest, "\r\n", "no request line"));
    for (bool first = true; strcmp(rest, "\r\n") != 0; first = false)
        check_header(cut(&rest, "\r\n", "a line without an end"), first, &body_bytes);
    need(body_bytes == 0 || body_allowed, "a body where none belongs");
    need(length - bytes == body_bytes, "a body that is not as long as it says");
    need(sent->body_bytes == body_bytes && memcmp(output + bytes, sent->body, body_bytes) == 0,
         "another body than was sent");
}

/* But for the Host that HTTP/1.1 must have and HTTP/1.0 need not send, and for a head that became
 * longer than the limit because of a space here and there. */
static void check_again(const char *output, size_t length)
{
    static struct outcome again;
    const char *host = memmem(output, length, "\r\nHost: ", 8),
               *end = memmem(output, length, "\r\n\r\n", 4);
    if (host == NULL || host > end || (size_t)(end - output) + 4 > HEAD_BYTES_MAX)
        return;
    feed((const uint8_t *)output, length, length, &again);
    need(again.refused == 0 && again.count == 1 && again.ends[0] == length &&
             again.output_ends[0] == length && memcmp(again.output, output, length) == 0,
         "what is plain becomes something else");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 7, 100};
    static struct outcome whole, cut_up;
    static struct requests requests;
    if (size > INPUT_BYTES_MAX)
        return 0;
    feed(data, size, size, &whole);
    /* a byte at a time takes long when there are many */
    for (size_t i = size > 2000 ? 3 : 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        feed(data, size, steps[i], &cut_up);
        check_same(&whole, &cut_up);
    }
    requests_split(&requests, &rules, data, size);
    need(requests.count == whole.count, "another number of requests");
    for (size_t i = 0, from = 0; i < whole.count; from = whole.output_ends[i++]) {
        check_plain(whole.output + from, whole.output_ends[i] - from, &requests.list[i]);
        check_again(whole.output + from, whole.output_ends[i] - from);
    }
    return 0;
}
