/*
 * Tests of http/framing: where requests end, and that the verdict does not
 * depend on how the bytes are cut up on their way. What is released when is in
 * framing_steps_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#include "net/framing.h"

#define BODY_MAX 1000
#define REQUESTS_MAX 8
#define HOST "Host: h\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST "\r\n"
#define POST_5 "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n"
#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
#define TEXT(text) text, sizeof(text) - 1

static const struct framing_limit limits[] = {{NULL, BODY_MAX, "too large"}};

/* What became of a stream of bytes. */
struct outcome {
    unsigned requests;
    size_t ends[REQUESTS_MAX]; /* position in the stream after each request */
    bool wants_close[REQUESTS_MAX];
    int refused;
    bool midway;
};

/*
 * Feeds the stream as the server does: `first` bytes, then `step` at a time; what is ready is taken
 * out of the inbox, and a complete request is followed by the next.
 */
static struct outcome feed(const char *bytes, size_t length, size_t first, size_t step)
{
    struct outcome outcome = {0};
    struct framing framing;
    struct evbuffer *inbox = evbuffer_new();
    framing_init(&framing, limits);
    size_t fed = 0, taken = 0;
    do {
        size_t now = fed == 0 ? first : step;
        if (now > length - fed)
            now = length - fed;
        /* a chain for each, so that nothing happens to be contiguous */
        assert_int_equal(evbuffer_add_reference(inbox, bytes + fed, now, NULL, NULL), 0);
        fed += now;
        struct framing_verdict verdict;
        do {
            verdict = framing_scan(&framing, inbox);
            outcome.refused = verdict.refused;
            if (verdict.refused != 0) {
                assert_non_null(verdict.why);
                assert_null(strpbrk(verdict.why, "\r\n"));
                break;
            }
            assert_int_equal(evbuffer_get_length(inbox), fed - taken); /* only looked at */
            assert_true(verdict.ready_bytes <= fed - taken);
            assert_int_equal(evbuffer_drain(inbox, verdict.ready_bytes), 0);
            taken += verdict.ready_bytes;
            if (verdict.complete) {
                assert_true(outcome.requests < REQUESTS_MAX);
                outcome.ends[outcome.requests] = taken;
                outcome.wants_close[outcome.requests++] = framing.wants_close;
            }
        } while (verdict.complete);
    } while (outcome.refused == 0 && fed < length);
    outcome.midway = framing_midway(&framing, inbox);
    evbuffer_free(inbox);
    return outcome;
}

static void assert_same(const struct outcome *outcome, const struct outcome *expected,
                        const char *text)
{
    bool same = outcome->requests == expected->requests && outcome->refused == expected->refused &&
                (outcome->refused != 0 || outcome->midway == expected->midway);
    for (unsigned i = 0; same && i < outcome->requests; i++)
        same = outcome->ends[i] == expected->ends[i] &&
               outcome->wants_close[i] == expected->wants_close[i];
    if (!same)
        fail_msg("%u requests, refused with %d: %s", outcome->requests, outcome->refused, text);
}

/* All at once, byte by byte, some bytes at a time, and cut in two at every place. */
static void check(const char *text, size_t bytes, const struct outcome *expected)
{
    struct outcome outcome = feed(text, bytes, bytes, bytes);
    assert_same(&outcome, expected, text);
    for (size_t step = 1; step <= 7; step++) {
        outcome = feed(text, bytes, step, step);
        assert_same(&outcome, expected, text);
    }
    for (size_t first = 1; first < bytes; first++) {
        outcome = feed(text, bytes, first, bytes);
        assert_same(&outcome, expected, text);
    }
}

/* Whole requests: their ends are given by the lengths of the parts of the text. */
static void whole_requests_end_where_they_end(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
        unsigned requests;
        const char *parts[REQUESTS_MAX];
    } table[] = {
        {TEXT(GET), 1, {GET}},
        {TEXT(GET GET GET), 3, {GET, GET, GET}},
        {TEXT(POST_5 "12345"), 1, {POST_5 "12345"}},
        {TEXT(POST_5 "12345" GET), 2, {POST_5 "12345", GET}},
        {TEXT(GET POST_5 "12345" POST_5 "\r\n\r\n." GET),
         4,
         {GET, POST_5 "12345", POST_5 "\r\n\r\n.", GET}},
        {TEXT(POST_5 "GET /"), 1, {POST_5 "GET /"}}, /* a body is not looked into */
        {TEXT("POST / HTTP/1.1\r\n" HOST "\r\n" GET), 2, {"POST / HTTP/1.1\r\n" HOST "\r\n", GET}},
        {TEXT(CHUNKED "0\r\n\r\n"), 1, {CHUNKED "0\r\n\r\n"}},
        {TEXT(CHUNKED "5\r\n12345\r\n0\r\n\r\n" GET), 2, {CHUNKED "5\r\n12345\r\n0\r\n\r\n", GET}},
        {TEXT(CHUNKED "1\r\n1\r\nA\r\n1234567890\r\na\r\n0\r\n\r\n56789\r\n00\r\n\r\n" GET),
         2,
         {CHUNKED "1\r\n1\r\nA\r\n1234567890\r\na\r\n0\r\n\r\n56789\r\n00\r\n\r\n", GET}},
        {TEXT(CHUNKED "0000000000000005\r\n12345\r\n0000000000000000\r\n\r\n"),
         1,
         {CHUNKED "0000000000000005\r\n12345\r\n0000000000000000\r\n\r\n"}},
        {TEXT(CHUNKED "2\r\n\r\n\r\n0\r\n\r\n" CHUNKED "0\r\n\r\n"),
         2,
         {CHUNKED "2\r\n\r\n\r\n0\r\n\r\n", CHUNKED "0\r\n\r\n"}},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct outcome expected = {.requests = table[i].requests};
        size_t end = 0;
        for (unsigned j = 0; j < table[i].requests; j++)
            expected.ends[j] = end += strlen(table[i].parts[j]);
        assert_int_equal(end, table[i].bytes);
        check(table[i].text, table[i].bytes, &expected);
    }
}

static void unfinished_request_is_waited_for(void **state)
{
    (void)state;
    static const char stream[] = GET CHUNKED "3\r\nabc\r\n0\r\n\r\n" POST_5 "12345";
    const size_t bytes = sizeof(stream) - 1;
    const size_t ends[] = {strlen(GET), strlen(GET CHUNKED "3\r\nabc\r\n0\r\n\r\n"), bytes};
    for (size_t length = 1; length <= bytes; length++) {
        struct outcome expected = {0};
        for (unsigned i = 0; i < 3; i++)
            if (ends[i] <= length)
                expected.ends[expected.requests++] = ends[i];
        size_t last = expected.requests > 0 ? expected.ends[expected.requests - 1] : 0;
        expected.midway = last < length;
        struct outcome outcome = feed(stream, length, length, length);
        assert_same(&outcome, &expected, stream);
        outcome = feed(stream, length, 1, 1);
        assert_same(&outcome, &expected, stream);
    }
}

static void close_belongs_to_its_request(void **state)
{
    (void)state;
    static const char closing[] = "POST / HTTP/1.1\r\n" HOST "Connection: close\r\n"
                                  "Content-Length: 2\r\n\r\nab";
    static const char stream[] = GET "POST / HTTP/1.1\r\n" HOST "Connection: close\r\n"
                                     "Content-Length: 2\r\n\r\nab" GET;
    const size_t first = strlen(GET), second = first + sizeof(closing) - 1;
    const struct outcome expected = {.requests = 3,
                                     .ends = {first, second, second + first},
                                     .wants_close = {false, true, false}};
    check(stream, sizeof(stream) - 1, &expected);
}

static void check_refused(const char *text, size_t bytes, unsigned requests, size_t end, int status)
{
    struct outcome expected = {.requests = requests, .ends = {end}, .refused = status};
    check(text, bytes, &expected);
}

/* The limit is for one body, not for all that a connection sends. */
static void limit_is_for_each_request(void **state)
{
    (void)state;
    static char text[2000];
    struct outcome expected = {.requests = 2};
    for (int i = 0; i < 2; i++) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof(text) - used, CHUNKED "258\r\n%0600d\r\n0\r\n\r\n", i);
        expected.ends[i] = strlen(text);
    }
    check(text, strlen(text), &expected);
}

static void bad_framing_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
        int status;
    } table[] = {
        {TEXT("\r\n\r\n"), 400},
        {TEXT("GET / HTTP/1.1\r\n\r\n"), 400}, /* head_test.c has all of these */
        {TEXT("POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n12345"), 400},
        {TEXT("POST / HTTP/1.1\r\n" HOST "Expect: x\r\n\r\n"), 417},
        {TEXT("POST / HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n"), 413},
        {TEXT("POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n"), 413},
        {TEXT(CHUNKED "\r\n"), 400},
        {TEXT(CHUNKED "x\r\n"), 400},
        {TEXT(CHUNKED "0x5\r\n12345\r\n0\r\n\r\n"), 400},
        {TEXT(CHUNKED "+5\r\n12345\r\n0\r\n\r\n"), 400},
        {TEXT(CHUNKED "-5\r\n12345\r\n0\r\n\r\n"), 400},
        {TEXT(CHUNKED " 5\r\n12345\r\n0\r\n\r\n"), 400},
        {TEXT(CHUNKED "5 \r\n12345\r\n0\r\n\r\n"), 400},
        {TEXT(CHUNKED "5;name=value\r\n12345\r\n0\r\n\r\n"), 400},
        {TEXT(CHUNKED "5\n12345\n0\n\n"), 400},
        {TEXT(CHUNKED "5\r12345\r\n0\r\n\r\n"), 400},
        {TEXT(CHUNKED "5\r\r\n12345\r\n0\r\n\r\n"), 400},
        {TEXT(CHUNKED "5\0\r\n12345\r\n0\r\n\r\n"), 400},
        {TEXT(CHUNKED "g\r\n"), 400},
        {TEXT(CHUNKED "00000000000000005\r\n12345\r\n"), 400}, /* 17 digits */
        {TEXT(CHUNKED "10000000000000005\r\n12345\r\n"), 400}, /* 2^64 + 5 */
        {TEXT(CHUNKED "ffffffffffffffff\r\n"), 413},
        {TEXT(CHUNKED "3e9\r\n"), 413},                        /* 1001 */
        {TEXT(CHUNKED "1\r\n1\r\n3e8\r\n"), 413},              /* 1 + 1000 */
        {TEXT(CHUNKED "1\r\n1\r\nffffffffffffffff\r\n"), 413}, /* 1 + -1 */
        {TEXT(CHUNKED "4\r\n12345\r\n0\r\n\r\n"), 400},        /* longer than its size */
        {TEXT(CHUNKED "6\r\n12345\r\n0\r\n\r\n"), 400},        /* shorter */
        {TEXT(CHUNKED "5\r\n12345\n0\r\n\r\n"), 400},
        {TEXT(CHUNKED "5\r\n12345\r0\r\n\r\n"), 400},
        {TEXT(CHUNKED "5\r\n123450\r\n\r\n"), 400},
        {TEXT(CHUNKED "0\r\nTrailer: x\r\n\r\n"), 400},
        {TEXT(CHUNKED "0\r\n\n"), 400},
        {TEXT(CHUNKED "0\r\n\rx"), 400},
        {TEXT(CHUNKED "0\r\n" GET), 400},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        check_refused(table[i].text, table[i].bytes, 0, 0, table[i].status);
}

static void request_before_a_bad_one_is_served(void **state)
{
    (void)state;
    check_refused(TEXT(GET "\r\n" GET), 1, strlen(GET), 400);
    check_refused(TEXT(POST_5 "12345" CHUNKED "x\r\n"), 1, strlen(POST_5) + 5, 400);
    check_refused(TEXT(POST_5 "123456" GET), 1, strlen(POST_5) + 5, 405); /* "6GET" */
}

/* A refusal must not wait for bytes that cannot make it good. */
static void bad_chunk_size_is_refused_without_its_newline(void **state)
{
    (void)state;
    check_refused(TEXT(CHUNKED "x"), 0, 0, 400);
    check_refused(TEXT(CHUNKED "5;"), 0, 0, 400);
    check_refused(TEXT(CHUNKED "00000000000000000"), 0, 0, 400);
}

static void body_as_long_as_the_limit_is_taken(void **state)
{
    (void)state;
    static char text[2 * BODY_MAX + 200];
    static const char head[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n";
    struct outcome expected = {.requests = 1};
    (void)strcpy(text, head);
    memset(text + strlen(head), 'x', BODY_MAX);
    expected.ends[0] = strlen(head) + BODY_MAX;
    check(text, expected.ends[0], &expected);
    /* the same in chunks: 999 and 1 */
    int bytes = snprintf(text, sizeof(text), CHUNKED "3e7\r\n%0999d\r\n1\r\ny\r\n0\r\n\r\n", 0);
    expected.ends[0] = (size_t)bytes;
    check(text, (size_t)bytes, &expected);
}

/* A request whose head has exactly `bytes` bytes. */
static void make_head(char *out, size_t bytes)
{
    static const char start[] = "GET / HTTP/1.1\r\n" HOST "A: ";
    memset(out, 'a', bytes);
    memcpy(out, start, sizeof(start) - 1);
    memcpy(out + bytes - 4, "\r\n\r\n", 4);
}

static void head_has_a_limit(void **state)
{
    (void)state;
    static char text[FRAMING_HEAD_BYTES_MAX + 1];
    static const size_t steps[] = {1, 1000, FRAMING_HEAD_BYTES_MAX + 1};
    for (int i = 0; i < 3; i++) {
        struct outcome expected = {.requests = 1, .ends = {FRAMING_HEAD_BYTES_MAX}};
        make_head(text, FRAMING_HEAD_BYTES_MAX);
        struct outcome outcome = feed(text, FRAMING_HEAD_BYTES_MAX, steps[i], steps[i]);
        assert_same(&outcome, &expected, "longest head");
        expected = (struct outcome){.refused = 400};
        make_head(text, FRAMING_HEAD_BYTES_MAX + 1);
        outcome = feed(text, FRAMING_HEAD_BYTES_MAX + 1, steps[i], steps[i]);
        assert_same(&outcome, &expected, "a byte too long");
        memset(text, 'a', FRAMING_HEAD_BYTES_MAX); /* not even a line */
        outcome = feed(text, FRAMING_HEAD_BYTES_MAX, steps[i], steps[i]);
        assert_same(&outcome, &expected, "no end");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_requests_end_where_they_end),
        cmocka_unit_test(unfinished_request_is_waited_for),
        cmocka_unit_test(close_belongs_to_its_request),
        cmocka_unit_test(limit_is_for_each_request),
        cmocka_unit_test(bad_framing_is_refused),
        cmocka_unit_test(request_before_a_bad_one_is_served),
        cmocka_unit_test(bad_chunk_size_is_refused_without_its_newline),
        cmocka_unit_test(body_as_long_as_the_limit_is_taken),
        cmocka_unit_test(head_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
