/*
 * Tests of net/framing with a judge: it is asked once for each well-formed head, before anything of
 * the body is looked at; the body of a request that it refuses is not read, and what follows is
 * never taken for a request.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <string.h>

#include "net/framing.h"
#include "net/head.h"

#define HOST "Host: h\r\n"
#define HEAD(method, lines) method " HTTP/1.1\r\n" HOST lines "\r\n"
#define KEY "Authorization: key\r\n"
#define CONTINUE "Expect: 100-continue\r\n"

static const struct framing_limit limits[] = {{NULL, 10, "too large", NULL}};
static const char *const forwarded[] = {NULL};

static unsigned asked;

/* Lets in who says "key". */
static struct framing_judgement judge(void *context, const struct head *head)
{
    struct framing_judgement judgement = {0};
    asked++;
    assert_ptr_equal(context, &asked);
    if (head->authorization.bytes != 3 || memcmp(head->authorization.at, "key", 3) != 0)
        judgement = (struct framing_judgement){401, "no key"};
    return judgement;
}

static const struct framing_rules rules = {
    .limits = limits, .forwarded = forwarded, .judge = judge, .context = &asked};

struct row {
    const char *given, *output;
    int refused; /* by the judge */
    bool wants_close, owes_continue;
    size_t left_bytes; /* in the inbox */
};

static const struct row rows[] = {
    {HEAD("GET /", KEY), HEAD("GET /", ""), 0, false, false, 0},
    {HEAD("POST /", KEY "Content-Length: 3\r\n") "abc",
     HEAD("POST /", "Content-Length: 3\r\n") "abc", 0, false, false, 0},
    {HEAD("POST /", KEY "Transfer-Encoding: chunked\r\n") "3\r\nabc\r\n0\r\n\r\n",
     HEAD("POST /", "Content-Length: 3\r\n") "abc", 0, false, false, 0},
    /* without a body the connection can stay */
    {HEAD("GET /", ""), HEAD("GET /", ""), 401, false, false, 0},
    {HEAD("HEAD /", ""), HEAD("HEAD /", ""), 401, false, false, 0},
    {HEAD("POST /", ""), HEAD("POST /", ""), 401, false, false, 0},
    {HEAD("POST /", "Content-Length: 0\r\n"), HEAD("POST /", ""), 401, false, false, 0},
    {HEAD("GET /", "Connection: close\r\n"), HEAD("GET /", ""), 401, true, false, 0},
    {"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", 401, true, false, 0},
    {HEAD("GET /", "") HEAD("GET /", KEY), HEAD("GET /", ""), 401, false, false,
     sizeof(HEAD("GET /", KEY)) - 1},
    /* a body is left where it is, whatever it is */
    {HEAD("POST /", "Content-Length: 3\r\n"), HEAD("POST /", ""), 401, true, false, 0},
    {HEAD("POST /", "Content-Length: 3\r\n") "ab", HEAD("POST /", ""), 401, true, false, 2},
    {HEAD("POST /", "Content-Length: 3\r\n") "abc", HEAD("POST /", ""), 401, true, false, 3},
    {HEAD("POST /", "Content-Length: 11\r\n") "abc", HEAD("POST /", ""), 401, true, false, 3},
    {HEAD("POST /", "Transfer-Encoding: chunked\r\n"), HEAD("POST /", ""), 401, true, false, 0},
    {HEAD("POST /", "Transfer-Encoding: chunked\r\n") "zz", HEAD("POST /", ""), 401, true, false,
     2},
    {HEAD("GET /", "Transfer-Encoding: chunked\r\n") "0\r\n\r\n", HEAD("GET /", ""), 401, true,
     false, 5},
    /* nobody is told to send it */
    {HEAD("POST /", CONTINUE "Content-Length: 3\r\n"), HEAD("POST /", ""), 401, true, false, 0},
    {HEAD("POST /", CONTINUE "Transfer-Encoding: chunked\r\n"), HEAD("POST /", ""), 401, true,
     false, 0},
};

static void body_of_a_refused_request_is_not_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct framing framing;
        struct evbuffer *inbox = evbuffer_new(), *output = evbuffer_new();
        print_message("row %zu\n", i);
        asked = 0;
        framing_init(&framing, &rules);
        assert_int_equal(evbuffer_add(inbox, row->given, strlen(row->given)), 0);
        struct framing_verdict verdict = framing_scan(&framing, inbox, output);
        assert_true(verdict.complete);
        assert_int_equal(verdict.refused, 0);
        assert_int_equal(asked, 1);
        assert_int_equal(framing.judgement.refused, row->refused);
        if (row->refused != 0)
            assert_string_equal(framing.judgement.why, "no key");
        assert_int_equal(framing.wants_close, row->wants_close);
        assert_int_equal(framing.owes_continue, row->owes_continue);
        if (row->refused != 0)
            assert_int_equal(framing_body_bytes(&framing), 0);
        assert_int_equal(framing_missing(&framing, inbox), 0);
        assert_int_equal(evbuffer_get_length(inbox), row->left_bytes);
        assert_int_equal(evbuffer_get_length(output), strlen(row->output));
        assert_memory_equal(evbuffer_pullup(output, -1), row->output, strlen(row->output));
        framing_free(&framing);
        evbuffer_free(inbox);
        evbuffer_free(output);
    }
}

/* It is not asked about what is no request; a judgement does not stay for the next one. */
static void each_head_is_judged_once(void **state)
{
    static const char stream[] =
        HEAD("GET /", "") HEAD("POST /", KEY "Content-Length: 1\r\n") "x" HEAD("GET /", "")
            HEAD("GET /", KEY) HEAD("GET /", KEY KEY);
    static const int refused[] = {401, 0, 401, 0};
    struct framing framing;
    struct evbuffer *inbox = evbuffer_new(), *output = evbuffer_new();
    unsigned requests = 0;
    (void)state;
    asked = 0;
    framing_init(&framing, &rules);
    for (size_t i = 0; i + 1 < sizeof(stream); i++) {
        assert_int_equal(evbuffer_add(inbox, stream + i, 1), 0);
        struct framing_verdict verdict = framing_scan(&framing, inbox, output);
        assert_int_equal(verdict.refused, i + 2 == sizeof(stream) ? 400 : 0);
        if (!verdict.complete)
            continue;
        assert_int_equal(framing.judgement.refused, refused[requests++]);
        assert_int_equal(asked, requests);
    }
    assert_int_equal(requests, 4);
    assert_int_equal(asked, 4);
    framing_free(&framing);
    evbuffer_free(inbox);
    evbuffer_free(output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_of_a_refused_request_is_not_read),
        cmocka_unit_test(each_head_is_judged_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
