/*
 * Tests of net/framing: where requests end, what evhttp is given of them, and
 * that neither depends on how the bytes are cut up on their way. Limits are in
 * framing_limits_test.c; what is known before a request is complete is in
 * framing_steps_test.c.
 */
#include "net/feeding.h"

struct part {
    const char *given;
    const char *output;
};

#define SAME(text)                                                                                 \
    {                                                                                              \
        text, text                                                                                 \
    }
#define CHUNKS(text, length, body)                                                                 \
    {                                                                                              \
        CHUNKED text, "POST / HTTP/1.1\r\n" HOST "Content-Length: " length "\r\n\r\n" body         \
    }

/* Whole requests: their ends are given by the lengths of the parts. */
static void whole_requests_end_where_they_end(void **state)
{
    static const struct part table[][REQUESTS_MAX] = {
        {SAME(GET)},
        {SAME(GET), SAME(GET), SAME(GET)},
        {SAME(POST_5 "12345")},
        {SAME(POST_5 "12345"), SAME(GET)},
        {SAME(GET), SAME(POST_5 "12345"), SAME(POST_5 "\r\n\r\n."), SAME(GET)},
        {SAME(POST_5 "GET /")}, /* a body is not looked into */
        {SAME(POST_0), SAME(GET)},
        {{"POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", POST_0}, SAME(GET)},
        {{"POST / HTTP/1.1\r\nA: b\r\nContent-Length:005\r\nRange:c\r\nhost:  h\r\n\r\n12345",
          "POST / HTTP/1.1\r\n" HOST "Range: c\r\nContent-Length: 5\r\n\r\n12345"},
         SAME(GET)},
        /* chunks are joined */
        {{CHUNKED "0\r\n\r\n", POST_0}},
        {CHUNKS("5\r\n12345\r\n0\r\n\r\n", "5", "12345"), SAME(GET)},
        {CHUNKS("1\r\n1\r\nA\r\n1234567890\r\na\r\n0\r\n\r\n56789\r\n00\r\n\r\n", "21",
                "112345678900\r\n\r\n56789"),
         SAME(GET)},
        {CHUNKS("0000000000000005\r\n12345\r\n0000000000000000\r\n\r\n", "5", "12345")},
        {CHUNKS("2\r\n\r\n\r\n0\r\n\r\n", "2", "\r\n"), {CHUNKED "0\r\n\r\n", POST_0}},
        {CHUNKS("3\r\nabc\r\n0\r\n\r\n", "3", "abc"),
         CHUNKS("2\r\nde\r\n0\r\n\r\n", "2", "de"),
         {CHUNKED "0\r\n\r\n", POST_0},
         CHUNKS("1\r\nf\r\n0\r\n\r\n", "1", "f")},
        {{"DELETE / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n",
          "DELETE / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n1"},
         SAME(GET)},
        /* an empty body is none, whatever the method */
        {{CHUNKED_GET "0\r\n\r\n", GET}, SAME(GET)},
        {{CHUNKED_GET "000\r\nA: b\r\n\r\n", GET}, SAME(GET)},
        {{"HEAD / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "HEAD / HTTP/1.1\r\n" HOST "\r\n"}},
        {{"OPTIONS * HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"}},
        {{"GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", GET}, SAME(GET)},
        /* trailers are dropped, also those that would be kept of a head */
        {CHUNKS("5\r\n12345\r\n0\r\nA: b\r\n\r\n", "5", "12345"), SAME(GET)},
        {CHUNKS("5\r\n12345\r\n0\r\nRange: x\r\nA:\r\nA: \tb c:d\xe4 \r\n\r\n", "5", "12345"),
         SAME(GET)},
        {{CHUNKED "0\r\nA: b\r\n\r\n", POST_0}, {"\r\n" GET, GET}},
        /* one empty line before a request is skipped */
        {{"\r\n" GET, GET}},
        {{"\r\n" GET, GET},
         SAME(GET),
         {"\r\n" GET, GET},
         {"\r\n" POST_5 "\r\n\r\n.", POST_5 "\r\n\r\n."}},
        {SAME(POST_5 "12345"), {"\r\n" GET, GET}}, /* as old browsers send it after a body */
        {{"\r\n" CHUNKED "0\r\n\r\n", POST_0}, {"\r\n" GET, GET}},
        /* absolute-form */
        {{"GET http://x/get?id=1 HTTP/1.1\r\n" HOST "\r\n",
          "GET /get?id=1 HTTP/1.1\r\nHost: x\r\n\r\n"},
         SAME(GET)},
        {{"POST http://x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
          "1\r\n1\r\n0\r\n\r\n",
          "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1"},
         SAME(GET)},
        {SAME("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), SAME(GET)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char text[OUTPUT_BYTES_MAX] = "";
        struct outcome expected = {0};
        for (const struct part *part = table[i]; part->given != NULL; part++) {
            expect(&expected, strlen(part->given), part->output, false);
            (void)strcat(text, part->given);
        }
        check(text, strlen(text), &expected);
    }
}

static void unfinished_request_is_waited_for(void **state)
{
    static const struct part parts[] = {
        SAME(GET),
        CHUNKS("3\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\n", "5", "abcde"),
        SAME(POST_5 "12345"),
        {"\r\n" GET, GET},
    };
    char text[1024] = "";
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        (void)strcat(text, parts[i].given);
    for (size_t length = 1; length <= strlen(text); length++) {
        struct outcome outcome, expected = {0};
        size_t end = 0;
        for (unsigned i = 0; i < 4 && end + strlen(parts[i].given) <= length; i++) {
            expect(&expected, strlen(parts[i].given), parts[i].output, false);
            end += strlen(parts[i].given);
        }
        /* nothing has begun with the empty line before the last one */
        bool empty_line = expected.requests == 3 && length == end + 2;
        expected.midway = end < length && !empty_line;
        feed(text, length, length, length, &outcome);
        assert_same(&outcome, &expected, text);
        feed(text, length, 1, 1, &outcome);
        assert_same(&outcome, &expected, text);
    }
}

static void close_belongs_to_its_request(void **state)
{
    static const struct {
        const char *given;
        bool wants_close;
    } table[] = {
        {GET, false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", true},
        {GET, false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: keep-alive, close\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n" HOST "\r\n", true},
        {"GET / HTTP/1.0\r\n" HOST "Connection: keep-alive, close\r\n\r\n", true},
        {"GET / HTTP/1.9\r\n" HOST "\r\n", false},
    };
    struct outcome expected = {0};
    char text[1024] = "";
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        expect(&expected, strlen(table[i].given), GET, table[i].wants_close);
        (void)strcat(text, table[i].given);
    }
    check(text, strlen(text), &expected);
}

/* `good` is what comes before the bytes that are refused. */
static void check_refused(const struct part *good, const char *bad, size_t bytes, int status)
{
    char text[OUTPUT_BYTES_MAX];
    struct outcome expected = {0};
    size_t good_bytes = 0;
    if (good != NULL) {
        expect(&expected, strlen(good->given), good->output, false);
        good_bytes = strlen(good->given);
        memcpy(text, good->given, good_bytes);
    }
    expected.refused = status;
    memcpy(text + good_bytes, bad, bytes);
    text[good_bytes + bytes] = '\0';
    check(text, good_bytes + bytes, &expected);
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
        {TEXT("\r\n\r"), 400},
        {TEXT("\r\n\r\n" GET), 400}, /* one empty line is skipped, not two */
        {TEXT("\r\r\n" GET), 400},
        {TEXT("\rG"), 400},
        {TEXT("\n"), 400},
        {TEXT("\r\n\n"), 400},
        {TEXT(" \r\n" GET), 400},
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
        {TEXT(CHUNKED "0\r\n\n"), 400},
        {TEXT(CHUNKED "0\r\n\rx"), 400},
        {TEXT(CHUNKED "0\r\n" GET), 400},
        /* trailers: head_test.c has what may be one */
        {TEXT(CHUNKED "0\r\nContent-Length: 5\r\n\r\n"), 400},
        {TEXT(CHUNKED "0\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
        {TEXT(CHUNKED "0\r\nHost: h\r\n\r\n"), 400},
        {TEXT(CHUNKED "0\r\nno colon\r\n\r\n"), 400},
        {TEXT(CHUNKED "0\r\nA: b\r\n folded\r\n\r\n"), 400},
        {TEXT(CHUNKED "0\r\nA: b\n\r\n"), 400},
        {TEXT(CHUNKED "0\r\nA: b\r\r\n\r\n"), 400},
        {TEXT(CHUNKED "0\r\nA: b\r\n\n"), 400},
        {TEXT(CHUNKED "0\r\nA: b\r\n\rx"), 400},
        {TEXT(CHUNKED "0\r\nA: \0\r\n\r\n"), 400},
        {TEXT(CHUNKED "0\r\nA: b\r\n" GET), 400},
        /* a body where none belongs, as soon as its first size is there */
        {TEXT(CHUNKED_GET "1\r\n"), 400},
        {TEXT(CHUNKED_GET "5\r\n12345\r\n0\r\n\r\n"), 400},
        {TEXT("OPTIONS * HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\n"), 400},
        {TEXT("HEAD / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\n"), 400},
        {TEXT("GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n1"), 400},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        check_refused(NULL, table[i].text, table[i].bytes, table[i].status);
}

static void request_before_a_bad_one_is_served(void **state)
{
    static const struct part get = SAME(GET), post = SAME(POST_5 "12345"),
                             chunks = CHUNKS("1\r\n1\r\n0\r\nA: b\r\n\r\n", "1", "1");
    (void)state;
    check_refused(&get, TEXT("\r\n\r\n" GET), 400);
    check_refused(&get, TEXT("\n" GET), 400);
    check_refused(&post, TEXT(CHUNKED "x\r\n"), 400);
    check_refused(&post, TEXT("6" GET), 405); /* "6GET" */
    check_refused(&chunks, TEXT("\r\n" CHUNKED "1\r\n12"), 400);
    check_refused(&chunks, TEXT("A: c\r\n\r\n"), 400);
}

/* A refusal must not wait for bytes that cannot make it good. */
static void what_cannot_become_good_is_refused_early(void **state)
{
    (void)state;
    check_refused(NULL, TEXT("\r\n\r"), 400);
    check_refused(NULL, TEXT("\rx"), 400);
    check_refused(NULL, TEXT(CHUNKED "x"), 400);
    check_refused(NULL, TEXT(CHUNKED "5;"), 400);
    check_refused(NULL, TEXT(CHUNKED "00000000000000000"), 400);
    check_refused(NULL, TEXT(CHUNKED "1\r\n12"), 400);
    check_refused(NULL, TEXT(CHUNKED "0\r\n\rx"), 400);
    check_refused(NULL, TEXT(CHUNKED "0\r\nHost:\r\n"), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_requests_end_where_they_end),
        cmocka_unit_test(unfinished_request_is_waited_for),
        cmocka_unit_test(close_belongs_to_its_request),
        cmocka_unit_test(bad_framing_is_refused),
        cmocka_unit_test(request_before_a_bad_one_is_served),
        cmocka_unit_test(what_cannot_become_good_is_refused_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
