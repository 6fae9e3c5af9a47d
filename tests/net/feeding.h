/*
 * feeding: what becomes of a stream of bytes that framing is fed with, in
 * however many pieces.
 *
 * Each program that includes this has a copy of its own. A framing's limit is
 * BODY_MAX for all paths, and of header lines it keeps Range.
 */
#ifndef ROCHEFORT_TESTS_NET_FEEDING_H
#define ROCHEFORT_TESTS_NET_FEEDING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#include "net/framing.h"
#include "net/head.h"

#define BODY_MAX 1000
#define REQUESTS_MAX 8
#define OUTPUT_BYTES_MAX 4096
#define HOST "Host: h\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST "\r\n"
#define POST_5 "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n"
#define POST_0 "POST / HTTP/1.1\r\n" HOST "\r\n" /* as it is given to evhttp */
#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
#define CHUNKED_GET "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
#define TEXT(text) text, sizeof(text) - 1

static const struct framing_limit limits[] = {{NULL, BODY_MAX, "too large", NULL}};
static const char *const forwarded[] = {"Range", NULL};
static const struct framing_rules rules = {.limits = limits, .forwarded = forwarded};

/* What became of a stream of bytes. */
struct outcome {
    unsigned requests;
    size_t ends[REQUESTS_MAX]; /* position in the stream after each request */
    bool wants_close[REQUESTS_MAX];
    size_t output_ends[REQUESTS_MAX]; /* the same in what evhttp is given */
    char output[OUTPUT_BYTES_MAX];
    int refused;
    bool midway;
};

/* A request is complete: evhttp takes it. */
static void take(struct outcome *outcome, size_t end, const struct framing *framing,
                 struct evbuffer *output)
{
    unsigned i = outcome->requests++;
    size_t used = i > 0 ? outcome->output_ends[i - 1] : 0, bytes = evbuffer_get_length(output);
    assert_true(i < REQUESTS_MAX && bytes <= OUTPUT_BYTES_MAX - used);
    assert_int_equal(evbuffer_remove(output, outcome->output + used, bytes), bytes);
    outcome->output_ends[i] = used + bytes;
    outcome->ends[i] = end;
    outcome->wants_close[i] = framing->wants_close;
    assert_int_equal(framing->state, FRAMING_HEAD);
}

/*
 * Feeds the stream as the server does: `first` bytes, then `step` at a time; a complete request is
 * taken out of the output, and the next one looked for.
 */
static void feed(const char *bytes, size_t length, size_t first, size_t step,
                 struct outcome *outcome)
{
    struct framing framing;
    struct evbuffer *inbox = evbuffer_new(), *output = evbuffer_new();
    memset(outcome, 0, sizeof(*outcome));
    framing_init(&framing, &rules);
    size_t fed = 0;
    do {
        size_t now = fed == 0 ? first : step;
        if (now > length - fed)
            now = length - fed;
        /* a chain for each, so that nothing happens to be contiguous */
        assert_int_equal(evbuffer_add_reference(inbox, bytes + fed, now, NULL, NULL), 0);
        fed += now;
        struct framing_verdict verdict;
        do {
            verdict = framing_scan(&framing, inbox, output);
            outcome->refused = verdict.refused;
            if (verdict.complete)
                take(outcome, fed - evbuffer_get_length(inbox), &framing, output);
        } while (verdict.complete);
        if (verdict.refused != 0) {
            assert_non_null(verdict.why);
            assert_null(strpbrk(verdict.why, "\r\n"));
        }
    } while (outcome->refused == 0 && fed < length);
    outcome->midway = framing_midway(&framing, inbox);
    framing_free(&framing);
    evbuffer_free(inbox);
    evbuffer_free(output);
}

static void assert_same(const struct outcome *outcome, const struct outcome *expected,
                        const char *text)
{
    bool same = outcome->requests == expected->requests && outcome->refused == expected->refused &&
                (outcome->refused != 0 || outcome->midway == expected->midway);
    for (unsigned i = 0; same && i < outcome->requests; i++)
        same = outcome->ends[i] == expected->ends[i] &&
               outcome->wants_close[i] == expected->wants_close[i] &&
               outcome->output_ends[i] == expected->output_ends[i];
    if (!same || memcmp(outcome->output, expected->output, OUTPUT_BYTES_MAX) != 0)
        fail_msg("%u requests, refused with %d: %s\ngave: %s", outcome->requests, outcome->refused,
                 text, outcome->output);
}

/* Another request is expected, after so many bytes more, and evhttp is given this. */
static void expect(struct outcome *outcome, size_t bytes, const char *output, bool wants_close)
{
    unsigned i = outcome->requests++;
    size_t used = i > 0 ? outcome->output_ends[i - 1] : 0;
    memcpy(outcome->output + used, output, strlen(output));
    outcome->output_ends[i] = used + strlen(output);
    outcome->ends[i] = (i > 0 ? outcome->ends[i - 1] : 0) + bytes;
    outcome->wants_close[i] = wants_close;
}

/* All at once, byte by byte, some bytes at a time, and cut in two at every place. */
static void check(const char *text, size_t bytes, const struct outcome *expected)
{
    struct outcome outcome;
    feed(text, bytes, bytes, bytes, &outcome);
    assert_same(&outcome, expected, text);
    for (size_t step = 1; step <= 7; step++) {
        feed(text, bytes, step, step, &outcome);
        assert_same(&outcome, expected, text);
    }
    for (size_t first = 1; first < bytes; first++) {
        feed(text, bytes, first, bytes, &outcome);
        assert_same(&outcome, expected, text);
    }
}

#endif
