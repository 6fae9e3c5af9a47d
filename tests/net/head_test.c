/*
 * Tests of net/head: what is plainly well-formed is taken, anything else is
 * refused, because two parties could disagree on where the request ends. What
 * is written for evhttp is checked byte by byte in head_write_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "net/head.h"

#define GET "GET / HTTP/1.1\r\nHost: h\r\n"
#define POST "POST /append?id=1 HTTP/1.1\r\nHost: h\r\n"

/* The text may hold NULs. */
#define TEXT(text) text, sizeof(text) - 1
/* A request with this target. */
#define TARGET(target) TEXT("GET " target " HTTP/1.1\r\nHost: h\r\n\r\n")

static const char *const nothing_forwarded[] = {NULL};

struct taken {
    const char *text;
    size_t bytes;
    uint64_t content_length;
    bool chunked, says_close;
};

static const struct taken taken[] = {
    {TEXT(GET "\r\n"), 0, false, false},
    {TEXT("GET /get?id=a&offset=25 HTTP/1.1\r\nHost: h\r\n\r\n"), 0, false, false},
    {TEXT("HEAD /get?id=%41 HTTP/1.1\r\nhOST: h\r\n\r\n"), 0, false, false},
    {TEXT("OPTIONS / HTTP/1.1\r\nHost:\r\n\r\n"), 0, false, false},
    {TEXT("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), 0, false, false},
    {TEXT("GET / HTTP/1.1\r\nHost: a-b.example:80\r\n\r\n"), 0, false, false},
    {TEXT("GET / HTTP/1.1\r\nHost: [fe80::1%25lo]:80\r\n\r\n"), 0, false, false},
    {TEXT("GET / HTTP/1.0\r\n\r\n"), 0, false, false}, /* Host is of HTTP/1.1 */
    {TEXT("GET / HTTP/1.9\r\nHost: h\r\n\r\n"), 0, false, false},
    {TEXT("GET /\x80\xff HTTP/1.1\r\nHost: h\r\n\r\n"), 0, false, false},
    {TARGET("/a//b"), 0, false, false},
    {TARGET("//h/"), 0, false, false},
    {TARGET("//"), 0, false, false},
    {TARGET("/?http://user@h/"), 0, false, false}, /* a query is not looked into */

    {TEXT(POST "\r\n"), 0, false, false}, /* no length: no body */
    {TEXT(POST "Content-Length: 0\r\n\r\n"), 0, false, false},
    {TEXT(POST "Content-Length: 1\r\n\r\n"), 1, false, false},
    {TEXT(POST "Content-Length:25\r\n\r\n"), 25, false, false},
    {TEXT(POST "Content-Length:  25 \t\r\n\r\n"), 25, false, false},
    {TEXT(POST "content-LENGTH: 0025\r\n\r\n"), 25, false, false},
    {TEXT(POST "Content-Length: 4294967296\r\n\r\n"), 4294967296, false, false},
    {TEXT(POST "Content-Length: 999999999999999999\r\n\r\n"), 999999999999999999, false, false},
    {TEXT("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"), 3, false, false},
    {TEXT("PATCH / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"), 3, false, false},
    {TEXT("DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"), 3, false, false},
    {TEXT("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\n"), 3, false, false},
    {TEXT(GET "Content-Length: 0\r\n\r\n"), 0, false, false}, /* an empty body is none */
    /* whether these are empty their first chunk tells */
    {TEXT(GET "Transfer-Encoding: chunked\r\n\r\n"), 0, true, false},
    {TEXT("HEAD / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"), 0, true, false},
    {TEXT("OPTIONS * HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"), 0, true, false},

    {TEXT(POST "Transfer-Encoding: chunked\r\n\r\n"), 0, true, false},
    {TEXT(POST "transfer-encoding:CHUNKED\r\n\r\n"), 0, true, false},
    {TEXT(POST "Expect: 100-continue\r\nContent-Length: 7\r\n\r\n"), 7, false, false},
    {TEXT(POST "Expect: 100-Continue\r\n\r\n"), 0, false, false},

    {TEXT(GET "Connection: close\r\n\r\n"), 0, false, true},
    {TEXT(GET "connection: CLOSE\r\n\r\n"), 0, false, true},
    {TEXT(GET "Connection: keep-alive\r\n\r\n"), 0, false, false},
    {TEXT(GET "Connection: keep-alive, close\r\n\r\n"), 0, false, true},
    {TEXT(GET "Connection: close ,x\r\n\r\n"), 0, false, true},
    {TEXT(GET "Connection: x,\tclose\t,y\r\n\r\n"), 0, false, true},
    {TEXT(GET "Connection: x\r\nConnection: close\r\n\r\n"), 0, false, true},
    {TEXT(GET "Connection: close\r\nConnection: x\r\n\r\n"), 0, false, true},
    {TEXT(GET "Connection: closed, enclose\r\n\r\n"), 0, false, false},
    {TEXT(GET "X-Connection: close\r\n\r\n"), 0, false, false},

    {TEXT(GET "Accept: */*\r\nUser-Agent: curl/7.88.1\r\n\r\n"), 0, false, false},
    {TEXT(GET "!#$%&'*+-.^_`|~09AZaz: odd but a token\r\n\r\n"), 0, false, false},
    {TEXT(GET "Empty:\r\n\r\n"), 0, false, false},
    {TEXT(GET "Tab: a\tb\r\n\r\n"), 0, false, false},
    {TEXT(GET "Latin: \xe4\xff\r\n\r\n"), 0, false, false},
    {TEXT(GET "Colons: a:b:c\r\n\r\n"), 0, false, false},
};

static void well_formed_heads_are_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        struct head head;
        memset(&head, 0xff, sizeof(head)); /* whatever was there before must not matter */
        if (!head_parse(taken[i].text, taken[i].bytes, nothing_forwarded, &head))
            fail_msg("refused (%s): %s", head.why, taken[i].text);
        if (head.content_length != taken[i].content_length || head.chunked != taken[i].chunked ||
            head.says_close != taken[i].says_close)
            fail_msg("misread: %s", taken[i].text);
        assert_int_equal(head.refused, 0);
    }
}

static void assert_span(struct head_span span, const char *text)
{
    assert_int_equal(span.bytes, strlen(text));
    assert_memory_equal(span.at, text, span.bytes);
}

/* Of a request whose Host line says "h". */
static void target_is_cut_into_its_parts(void **state)
{
    (void)state;
    static const struct {
        const char *given, *authority, *target, *path;
    } table[] = {
        {"/", "h", "/", "/"},
        {"/append", "h", "/append", "/append"},
        {"/append?", "h", "/append?", "/append"},
        {"/append?id=1", "h", "/append?id=1", "/append"},
        {"/a?b?/c", "h", "/a?b?/c", "/a"},
        {"/a/b/?c", "h", "/a/b/?c", "/a/b/"},
        {"/?", "h", "/?", "/"},
        {"/%3f?x", "h", "/%3f?x", "/%3f"}, /* not decoded */
        {"//x/append?id=1", "h", "//x/append?id=1", "//x/append"},
        {"/http://x/get", "h", "/http://x/get", "/http://x/get"},
        /* absolute-form: its authority counts, Host does not */
        {"http://x/append", "x", "/append", "/append"},
        {"https://x/append?id=1", "x", "/append?id=1", "/append"},
        {"HTTP://X/Append", "X", "/Append", "/Append"},
        {"hTtPs://x/", "x", "/", "/"},
        {"http://x:8001/get?id=1", "x:8001", "/get?id=1", "/get"},
        {"http://x:/get", "x:", "/get", "/get"},
        {"http://[::1]:80/get", "[::1]:80", "/get", "/get"},
        {"http://x?id=1", "x", "?id=1", ""},
        {"http://x?id=/get", "x", "?id=/get", ""},
        {"http://x?user@y/", "x", "?user@y/", ""},
        {"http://x", "x", "", ""},
        {"http://x//append", "x", "//append", "//append"},
        {"http://x/http://y/", "x", "/http://y/", "/http://y/"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", table[i].given);
        struct head head;
        if (!head_parse(text, strlen(text), nothing_forwarded, &head))
            fail_msg("refused (%s): %s", head.why, table[i].given);
        assert_span(head.method, "GET");
        assert_span(head.authority, table[i].authority);
        assert_span(head.target, table[i].target);
        assert_span(head.path, table[i].path);
    }
}

static void what_the_method_says_of_a_body(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        bool body_allowed;
    } table[] = {{"GET", false}, {"HEAD", false}, {"OPTIONS", false}, {"POST", true},
                 {"PUT", true},  {"PATCH", true}, {"DELETE", true}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: h\r\n\r\n", table[i].method);
        struct head head;
        assert_true(head_parse(text, strlen(text), nothing_forwarded, &head));
        assert_int_equal(head.body_allowed, table[i].body_allowed);
    }
}

static void version_and_keep_alive(void **state)
{
    (void)state;
    static const struct {
        const char *version, *connection;
        bool http_1_0, says_close, says_keep_alive;
    } table[] = {
        {"1.0", "x", true, false, false},
        {"1.0", "keep-alive", true, false, true},
        {"1.0", "x ,KEEP-Alive", true, false, true},
        {"1.0", "keep-alive, close", true, true, true},
        {"1.0", "keep-alives, keep, alive", true, false, false},
        {"1.1", "keep-alive", false, false, true},
        {"1.1", "close", false, true, false},
        {"1.2", "x", false, false, false},
        {"1.9", "x", false, false, false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "GET / HTTP/%s\r\nHost: h\r\nConnection: %s\r\n\r\n",
                       table[i].version, table[i].connection);
        struct head head;
        assert_true(head_parse(text, strlen(text), nothing_forwarded, &head));
        assert_int_equal(head.http_1_0, table[i].http_1_0);
        assert_int_equal(head.says_close, table[i].says_close);
        assert_int_equal(head.says_keep_alive, table[i].says_keep_alive);
    }
}

static void client_that_waits_to_be_told_says_so(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool expects;
    } table[] = {
        {POST "Content-Length: 5\r\n\r\n", false},
        {POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", true},
        {POST "expect:100-CONTINUE\r\nTransfer-Encoding: chunked\r\n\r\n", true},
        {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct head head;
        assert_true(head_parse(table[i].text, strlen(table[i].text), nothing_forwarded, &head));
        assert_int_equal(head.expects_continue, table[i].expects);
    }
}

static void authorization_is_its_trimmed_value(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value; /* NULL: there is none */
    } table[] = {
        {GET "\r\n", NULL},
        {GET "X-Authorization: a\r\nProxy-Authorization: b\r\n\r\n", NULL},
        {GET "Authorization:\r\n\r\n", ""},
        {GET "authorization: \t Bearer  a, b \t\r\nX: y\r\n\r\n", "Bearer  a, b"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct head head;
        memset(&head, 0xff, sizeof(head));
        assert_true(head_parse(table[i].text, strlen(table[i].text), nothing_forwarded, &head));
        assert_int_equal(head.authorization.at != NULL, table[i].value != NULL);
        if (table[i].value != NULL)
            assert_span(head.authorization, table[i].value);
    }
}

struct refused {
    const char *text;
    size_t bytes;
    int status;
};

static const struct refused refused[] = {
    /* request line */
    {TEXT("\r\n\r\n"), 400},
    {TEXT("GET\r\n\r\n"), 400},
    {TEXT("GET /\r\n\r\n"), 400}, /* HTTP/0.9 */
    {TEXT("GET / \r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET / HTTP/1.1\r\nHost: h/x\r\n\r\n"), 400},
    {TEXT(GET "Authorization: a\r\nAuthorization: a\r\n\r\n"), 400},
    {TEXT(GET "authorization:\r\nX: y\r\nAuthorization:\r\n\r\n"), 400},
    {TEXT("GET / HTTP/1.1\r\nHost: user@h\r\n\r\n"), 400},
    {TEXT("GET / HTTP/1.1\r\nHost: h i\r\n\r\n"), 400},
    {TEXT("GET / HTTP/1.1\r\nHost: h\xc3\xa4\r\n\r\n"), 400},
    {TEXT("GET HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT(" GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET  / HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET /  HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET / HTTP/1.1 \r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET\t/\tHTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET / b HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("G(T / HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("G\0T / HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("\x16\x03\x01 / HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    /* methods evhttp does odd things with, and ones nobody knows */
    {TEXT("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n"), 405},
    {TEXT("CONNECT / HTTP/1.1\r\nHost: h\r\n\r\n"), 405},
    {TEXT("get / HTTP/1.1\r\nHost: h\r\n\r\n"), 405},
    {TEXT("GETS / HTTP/1.1\r\nHost: h\r\n\r\n"), 405},
    {TEXT("POS / HTTP/1.1\r\nHost: h\r\n\r\n"), 405},
    {TEXT("PROPFIND / HTTP/1.1\r\nHost: h\r\n\r\n"), 405},
    /* target */
    {TEXT("GET * HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("OPTIONS *x HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("OPTIONS ** HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("OPTIONS *?x HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("POST * HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TARGET("?id=1"), 400},
    {TARGET("get"), 400},
    {TARGET("\\\\h/"), 400},
    {TARGET("h:80"), 400},
    /* absolute-form */
    {TARGET("http://"), 400},
    {TARGET("http:///get"), 400},
    {TARGET("http://?id=1"), 400},
    {TARGET("http://:80/get"), 400}, /* a port, but of nobody */
    {TARGET("http://user@h/get"), 400},
    {TARGET("http://user:pass@h/get"), 400},
    {TARGET("http://@h/get"), 400},
    {TARGET("http://h@/get"), 400},
    {TARGET("http://h\\get"), 400},
    {TARGET("http://h\\@i/get"), 400},
    {TARGET("http://h\"/get"), 400},
    {TARGET("http://<h>/get"), 400},
    {TARGET("http://h`/get"), 400},
    {TARGET("http://{h}/get"), 400},
    {TARGET("http://h|i/get"), 400},
    {TARGET("http://h^/get"), 400},
    {TARGET("http://h\xc3\xa4/get"), 400},
    {TARGET("http://h\x01/get"), 400},
    {TARGET("http://h\0/get"), 400},
    {TARGET("http://h i/get"), 400},
    {TARGET("http://h\ti/get"), 400},
    {TARGET("http://h#/get"), 400},
    {TARGET("http://h/get#a"), 400},
    {TARGET("ftp://h/get"), 400},
    {TARGET("ws://h/get"), 400},
    {TARGET("file:///get"), 400},
    {TARGET("httpx://h/get"), 400},
    {TARGET("http:/h/get"), 400},
    {TARGET("http:get"), 400},
    {TARGET("http"), 400},
    {TARGET(" http://h/get"), 400},
    {TARGET("xhttp://h/get"), 400},
    {TARGET("javascript:alert(1)"), 400},
    {TARGET("*http://h/get"), 400},
    {TEXT("GET http://h/get HTTP/1.1\r\n\r\n"), 400}, /* Host must be there all the same */
    {TEXT("GET http://h/get HTTP/1.1\r\nHost: a b\r\n\r\n"), 400}, /* and be one */
    {TEXT("GET http://h/get HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"), 400},
    {TEXT("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n"), 405},
    {TEXT("GET /#a HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET /\ta HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET /\0a HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET /\x7f HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET /\ra HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET /\na HTTP/1.1\r\nHost: h\r\n\r\n"), 400},
    /* version */
    {TEXT("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET / HTTP/0.9\r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET / HTTP/1.\r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET / HTTP/1.x\r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET / HTTP/1.10\r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET / HTTP/01.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET / http/1.1\r\nHost: h\r\n\r\n"), 400},
    {TEXT("GET / HTTP/1.1\nHost: h\r\n\r\n"), 400},
    {TEXT("GET / HTTP/1.1\rHost: h\r\n\r\n"), 400},
    /* header lines */
    {TEXT(GET "no colon\r\n\r\n"), 400},
    {TEXT(GET ": no name\r\n\r\n"), 400},
    {TEXT(GET "Space : v\r\n\r\n"), 400},
    {TEXT(GET "Sp ace: v\r\n\r\n"), 400},
    {TEXT(GET "Content-Length : 5\r\n\r\n"), 400},
    {TEXT(GET "A: b\r\n folded\r\n\r\n"), 400},
    {TEXT(GET "A: b\r\n\tfolded: c\r\n\r\n"), 400},
    {TEXT("GET / HTTP/1.1\r\n Host: h\r\n\r\n"), 400},
    {TEXT(GET "A: b\nContent-Length: 5\r\n\r\n"), 400},
    {TEXT(GET "A: b\rContent-Length: 5\r\n\r\n"), 400},
    {TEXT(GET "A: b\r\r\n\r\n"), 400},
    {TEXT(GET "A: \0\r\n\r\n"), 400},
    {TEXT(GET "A\0: b\r\n\r\n"), 400},
    {TEXT(GET "A: \x01\r\n\r\n"), 400},
    {TEXT(GET "A: \x7f\r\n\r\n"), 400},
    {TEXT(GET "\xe4: b\r\n\r\n"), 400},
    /* Host */
    {TEXT("GET / HTTP/1.1\r\n\r\n"), 400},
    {TEXT("GET / HTTP/1.1\r\nX-Host: h\r\n\r\n"), 400},
    {TEXT(GET "Host: h\r\n\r\n"), 400},
    {TEXT(GET "host: i\r\n\r\n"), 400},
    {TEXT("GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n"), 400},
    /* Content-Length */
    {TEXT(POST "Content-Length:\r\n\r\n"), 400},
    {TEXT(POST "Content-Length: +5\r\n\r\n"), 400},
    {TEXT(POST "Content-Length: -5\r\n\r\n"), 400},
    {TEXT(POST "Content-Length: -0\r\n\r\n"), 400},
    {TEXT(POST "Content-Length: 0x5\r\n\r\n"), 400},
    {TEXT(POST "Content-Length: 5 5\r\n\r\n"), 400},
    {TEXT(POST "Content-Length: 5, 5\r\n\r\n"), 400},
    {TEXT(POST "Content-Length: 5.0\r\n\r\n"), 400},
    {TEXT(POST "Content-Length: 5e1\r\n\r\n"), 400},
    {TEXT(POST "Content-Length: five\r\n\r\n"), 400},
    {TEXT(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), 400},
    {TEXT(POST "Content-Length: 5\r\nContent-length: 6\r\n\r\n"), 400},
    {TEXT(POST "Content-Length: 1000000000000000000\r\n\r\n"), 413},
    {TEXT(POST "Content-Length: 18446744073709551616\r\n\r\n"), 413}, /* 2^64, not 0 */
    {TEXT(POST "Content-Length: 18446744073709551621\r\n\r\n"), 413}, /* not 5 */
    /* a tab before the value, where evhttp as its authors released it sees another value */
    {TEXT(POST "Content-Length: \t25\r\n\r\n"), 400},
    {TEXT(POST "Transfer-Encoding:\tchunked\r\n\r\n"), 400},
    {TEXT(POST "Expect:\t100-continue\r\n\r\n"), 400},
    {TEXT(GET "Connection: \tclose\r\n\r\n"), 400},
    /* Transfer-Encoding */
    {TEXT(POST "Transfer-Encoding:\r\n\r\n"), 400},
    {TEXT(POST "Transfer-Encoding: gzip\r\n\r\n"), 400},
    {TEXT(POST "Transfer-Encoding: identity\r\n\r\n"), 400},
    {TEXT(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), 400},
    {TEXT(POST "Transfer-Encoding: chunked, chunked\r\n\r\n"), 400},
    {TEXT(POST "Transfer-Encoding: xchunked\r\n\r\n"), 400},
    {TEXT(POST "Transfer-Encoding: chunked;q=1\r\n\r\n"), 400},
    {TEXT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    {TEXT(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), 400},
    {TEXT(POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    {TEXT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    /* Expect */
    {TEXT(POST "Expect:\r\n\r\n"), 417},
    {TEXT(POST "Expect: 200-ok\r\n\r\n"), 417},
    {TEXT(POST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n"), 417},
    /* a body where none belongs: it would be read as the next request */
    {TEXT(GET "Content-Length: 1\r\n\r\n"), 400},
    {TEXT("HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"), 400},
    {TEXT("OPTIONS / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"), 400},
    {TEXT("OPTIONS * HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"), 400},
};

static void everything_else_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct head head = {0};
        if (head_parse(refused[i].text, refused[i].bytes, nothing_forwarded, &head))
            fail_msg("taken, number %zu: %s", i, refused[i].text);
        if (head.refused != refused[i].status)
            fail_msg("%d instead of %d: %s", head.refused, refused[i].status, refused[i].text);
        assert_non_null(head.why);
        assert_true(strlen(head.why) > 0);
        assert_null(strpbrk(head.why, "\r\n")); /* it becomes a line of the reply */
    }
}

/* Every byte value in a header's name and in its value, against the grammar of RFC 9110. */
static void every_byte_in_name_and_value(void **state)
{
    (void)state;
    static const char in_token[] = "!#$%&'*+-.^_`|~0123456789"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (int c = 0; c < 256; c++) {
        char text[] = GET "Na?e: v\r\n\r\n";
        struct head head;
        char *at = strchr(text, '?');
        *at = (char)c;
        /* a colon ends the name early, the rest is then the value */
        bool name_expected = memchr(in_token, c, sizeof(in_token) - 1) != NULL || c == ':';
        bool name_taken = head_parse(text, sizeof(text) - 1, nothing_forwarded, &head);
        char other[] = GET "Name: v?v\r\n\r\n";
        at = strchr(other, '?');
        *at = (char)c;
        bool value_expected = c == '\t' || (c >= ' ' && c != 0x7f);
        bool value_taken = head_parse(other, sizeof(other) - 1, nothing_forwarded, &head);
        if (name_taken != name_expected || value_taken != value_expected)
            fail_msg("byte 0x%02x", (unsigned)c);
    }
}

/* And in a host, against what RFC 3986 lets a name, an address and a port have. */
static void every_byte_in_a_host(void **state)
{
    (void)state;
    static const char in_host[] = "-._~%!$&'()*+,;=[]:0123456789"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (int c = 0; c < 256; c++) {
        char host[] = "GET / HTTP/1.1\r\nHost: h?h\r\n\r\n";
        char target[] = "GET http://h?h/ HTTP/1.1\r\nHost: h\r\n\r\n";
        struct head head;
        *strchr(host, '?') = (char)c;
        *strchr(target, '?') = (char)c;
        bool expected = memchr(in_host, c, sizeof(in_host) - 1) != NULL;
        /* these end the host, and what follows is a path or a query */
        bool target_expected = expected || c == '/' || c == '?';
        if (head_parse(host, sizeof(host) - 1, nothing_forwarded, &head) != expected ||
            head_parse(target, sizeof(target) - 1, nothing_forwarded, &head) != target_expected)
            fail_msg("byte 0x%02x", (unsigned)c);
    }
}

static void headers_are_counted(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= 2 * HEAD_LINES_MAX; count++) {
        char text[1024] = "GET / HTTP/1.1\r\nHost: h\r\n";
        for (unsigned i = 1; i < count; i++)
            (void)strcat(text, "A: b\r\n");
        (void)strcat(text, "\r\n");
        struct head head;
        bool expected = count <= HEAD_LINES_MAX;
        assert_int_equal(head_parse(text, strlen(text), nothing_forwarded, &head), expected);
        assert_int_equal(head.refused, expected ? 0 : 400);
    }
}

static void trailers_are_header_lines_that_say_nothing_of_the_request(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        size_t bytes;
        bool valid;
    } table[] = {
        {TEXT("A: b"), true},
        {TEXT("A:b"), true},
        {TEXT("A:"), true},
        {TEXT("A: \t "), true},
        {TEXT("A:\tb"), true},
        {TEXT("A: b: c"), true},
        {TEXT("A: \xe4"), true},
        {TEXT("!#$%&'*+-.^_`|~09AZaz: b"), true},
        {TEXT("Hosts: b"), true},
        {TEXT("X-Content-Length: 5"), true},
        {TEXT("Content_Length: 5"), true},
        {TEXT("Digest: x"), true},
        /* what would be the head of another request to whoever merges them */
        {TEXT("Content-Length: 5"), false},
        {TEXT("content-length:5"), false},
        {TEXT("Transfer-Encoding: chunked"), false},
        {TEXT("TRANSFER-ENCODING:"), false},
        {TEXT("Host: h"), false},
        {TEXT("hOST:h"), false},
        {TEXT("Connection: close"), false},
        {TEXT("Expect: 100-continue"), false},
        /* no header lines */
        {TEXT(""), false},
        {TEXT("A"), false},
        {TEXT(":"), false},
        {TEXT(": b"), false},
        {TEXT("GET / HTTP/1.1"), false},
        {TEXT("GET http://h/ HTTP/1.1"), false},
        {TEXT("0"), false},
        {TEXT("A : b"), false},
        {TEXT(" A: b"), false},
        {TEXT("\tA: b"), false},
        {TEXT("A b: c"), false},
        {TEXT("A\0: b"), false},
        {TEXT("A: \0"), false},
        {TEXT("A: b\r"), false},
        {TEXT("A: b\rB: c"), false},
        {TEXT("\rA: b"), false},
        {TEXT("A: b\nB: c"), false},
        {TEXT("A: \x7f"), false},
        {TEXT("\xe4: b"), false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (head_trailer_valid(table[i].line, table[i].bytes) != table[i].valid)
            fail_msg("number %zu: %s", i, table[i].line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_heads_are_taken),
        cmocka_unit_test(target_is_cut_into_its_parts),
        cmocka_unit_test(what_the_method_says_of_a_body),
        cmocka_unit_test(version_and_keep_alive),
        cmocka_unit_test(client_that_waits_to_be_told_says_so),
        cmocka_unit_test(authorization_is_its_trimmed_value),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(every_byte_in_name_and_value),
        cmocka_unit_test(every_byte_in_a_host),
        cmocka_unit_test(headers_are_counted),
        cmocka_unit_test(trailers_are_header_lines_that_say_nothing_of_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
