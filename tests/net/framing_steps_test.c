/*
 * Tests of net/framing step by step: what is known of a request before it is
 * complete, who is told to go on, and which limit holds for which path.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/framing.h"

#define HOST "Host: h\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST "\r\n"
#define POST_5 "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n"
#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

static const struct framing_limit limits[] = {{"/small", 10, "small is small", NULL},
                                              {"/none", 0, "none at all", NULL},
                                              {NULL, 1000, "too large", NULL}};
static const char *const forwarded[] = {NULL};
static const struct framing_rules rules = {.limits = limits, .forwarded = forwarded};

struct fixture {
    struct framing framing;
    struct evbuffer *inbox, *output;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    if (fixture == NULL)
        return -1;
    framing_init(&fixture->framing, &rules);
    fixture->inbox = evbuffer_new();
    fixture->output = evbuffer_new();
    return fixture->inbox != NULL && fixture->output != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    framing_free(&fixture->framing);
    evbuffer_free(fixture->inbox);
    evbuffer_free(fixture->output);
    free(fixture);
    return 0;
}

/* A scan of what is in the inbox and `more`. True if that completes a request. */
static bool scan(struct fixture *fixture, const char *more)
{
    assert_int_equal(evbuffer_add(fixture->inbox, more, strlen(more)), 0);
    struct framing_verdict verdict =
        framing_scan(&fixture->framing, fixture->inbox, fixture->output);
    if (verdict.refused != 0)
        fail_msg("refused: %s", verdict.why);
    return verdict.complete;
}

static uint64_t missing(const struct fixture *fixture)
{
    return framing_missing(&fixture->framing, fixture->inbox);
}

static bool midway(const struct fixture *fixture)
{
    return framing_midway(&fixture->framing, fixture->inbox);
}

/* evhttp is given this, and takes it. */
static void assert_output(struct fixture *fixture, const char *expected)
{
    assert_int_equal(evbuffer_get_length(fixture->output), strlen(expected));
    assert_memory_equal(evbuffer_pullup(fixture->output, -1), expected, strlen(expected));
    assert_int_equal(evbuffer_drain(fixture->output, strlen(expected)), 0);
}

static void nothing_is_not_midway(void **state)
{
    struct fixture *fixture = *state;
    assert_false(scan(fixture, ""));
    assert_false(midway(fixture));
    assert_output(fixture, "");
}

/* A client may send one before its next request, and is as idle after it as before. */
static void skipped_line_is_not_midway(void **state)
{
    struct fixture *fixture = *state;
    assert_false(scan(fixture, "\r"));
    assert_true(midway(fixture));
    assert_false(scan(fixture, "\n"));
    assert_false(midway(fixture));
    assert_int_equal(evbuffer_get_length(fixture->inbox), 0);
    assert_false(scan(fixture, "GET / HT"));
    assert_true(midway(fixture));
    assert_true(scan(fixture, "TP/1.1\r\n" HOST "\r\n"));
    assert_output(fixture, GET);
    assert_false(midway(fixture));
}

static void body_is_taken_when_it_is_whole(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(missing(fixture), 0);
    assert_false(scan(fixture, POST_5));
    assert_int_equal(missing(fixture), 5);
    assert_int_equal(framing_body_bytes(&fixture->framing), 5);
    assert_false(scan(fixture, "12"));
    assert_int_equal(missing(fixture), 3);
    assert_true(midway(fixture));
    assert_true(scan(fixture, "345GET"));
    assert_output(fixture, POST_5 "12345");
    assert_int_equal(missing(fixture), 0);
    assert_int_equal(framing_body_bytes(&fixture->framing), 5); /* of the last one */
    assert_int_equal(evbuffer_get_length(fixture->inbox), 3);   /* of the next one */
    assert_true(midway(fixture));
    assert_false(scan(fixture, ""));
    assert_output(fixture, "");
}

/* What a client sends ahead stays where it is until it is asked for. */
static void one_request_is_taken_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    assert_true(scan(fixture, GET POST_5 "12345" CHUNKED "1\r\n1\r\n0\r\n\r\n" GET));
    assert_output(fixture, GET);
    assert_int_equal(evbuffer_get_length(fixture->inbox),
                     strlen(POST_5 "12345" CHUNKED "1\r\n1\r\n0\r\n\r\n" GET));
    assert_int_equal(framing_body_bytes(&fixture->framing), 0);
    assert_true(scan(fixture, ""));
    assert_output(fixture, POST_5 "12345");
    assert_int_equal(framing_body_bytes(&fixture->framing), 5);
    assert_true(scan(fixture, ""));
    assert_output(fixture, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n1");
    assert_int_equal(framing_body_bytes(&fixture->framing), 1);
    assert_true(scan(fixture, ""));
    assert_output(fixture, GET);
    assert_false(midway(fixture));
    assert_false(scan(fixture, ""));
}

/* A long body must not have to be all in the inbox before any of it is taken out. */
static void chunks_are_taken_one_by_one(void **state)
{
    struct fixture *fixture = *state;
    assert_false(scan(fixture, CHUNKED "3"));
    assert_int_equal(missing(fixture), 0); /* not known yet */
    assert_int_equal(framing_body_bytes(&fixture->framing), 0);
    assert_false(scan(fixture, "\r\n1"));
    assert_int_equal(missing(fixture), 4); /* with the end of the line */
    assert_int_equal(framing_body_bytes(&fixture->framing), 3);
    assert_false(scan(fixture, "23\r"));
    assert_int_equal(missing(fixture), 1);
    assert_int_equal(evbuffer_get_length(fixture->inbox), 4);
    assert_false(scan(fixture, "\n2\r\n4"));
    assert_int_equal(missing(fixture), 3);
    assert_int_equal(evbuffer_get_length(fixture->inbox), 1);
    assert_int_equal(framing_body_bytes(&fixture->framing), 5);
    assert_false(scan(fixture, "5\r\n1\r\n6\r\n0\r"));
    assert_int_equal(framing_body_bytes(&fixture->framing), 6);
    assert_int_equal(missing(fixture), 0);
    assert_true(midway(fixture));
    assert_true(scan(fixture, "\n\r\n"));
    assert_output(fixture, "POST / HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\n123456");
    assert_int_equal(framing_body_bytes(&fixture->framing), 6);
    assert_false(midway(fixture));
}

static void trailers_are_taken_line_by_line(void **state)
{
    struct fixture *fixture = *state;
    assert_false(scan(fixture, CHUNKED "0\r\nA: b\r"));
    assert_int_equal(evbuffer_get_length(fixture->inbox), strlen("A: b\r"));
    assert_false(scan(fixture, "\nB"));
    assert_int_equal(evbuffer_get_length(fixture->inbox), strlen("B"));
    assert_true(midway(fixture));
    assert_int_equal(missing(fixture), 0);
    assert_false(scan(fixture, ": c\r\n"));
    assert_int_equal(evbuffer_get_length(fixture->inbox), 0);
    assert_true(midway(fixture)); /* the empty line has not come */
    assert_true(scan(fixture, "\r\nX"));
    assert_output(fixture, "POST / HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(evbuffer_get_length(fixture->inbox), 1);
}

/* The owner of the connection asks when it is freed in the middle of a body. */
static void unfinished_chunks_are_freed(void **state)
{
    struct fixture *fixture = *state;
    assert_false(scan(fixture, CHUNKED "3\r\n123\r\n"));
    assert_non_null(fixture->framing.chunks);
    framing_free(&fixture->framing);
    assert_null(fixture->framing.chunks);
}

static void client_that_waits_is_told_to_go_on(void **state)
{
    static const struct {
        const char *first, *then;
        bool owes;
    } table[] = {
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", "x", true},
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
         "0\r\n\r\n", true},
        {"GET / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
         "0\r\n\r\n", true},
        {"\r\nPOST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", "x",
         true},
        /* nothing is owed to one that did not wait, has no body or would not understand */
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nx", "y",
         false},
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n0",
         "\r\n\r\n", false},
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", GET,
         false},
        {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", "x", false},
        {POST_5, "12345", false},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        (void)scan(fixture, table[i].first);
        assert_int_equal(fixture->framing.owes_continue, table[i].owes);
        fixture->framing.owes_continue = false;
        assert_true(scan(fixture, table[i].then));
        assert_false(fixture->framing.owes_continue);
        (void)scan(fixture, ""); /* a second one */
        assert_int_equal(evbuffer_get_length(fixture->inbox), 0);
    }
}

static void what_the_response_needs_to_know(void **state)
{
    static const struct {
        const char *request;
        bool http_1_0, wants_close;
    } table[] = {
        {GET, false, false},
        {"GET / HTTP/1.0\r\n\r\n", true, true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true, false},
        {"GET / HTTP/1.0\r\nConnection: close\r\n\r\n", true, true},
        {"GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n\r\n", false, false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", false, true},
        {GET, false, false}, /* nothing stays of those before */
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_true(scan(fixture, table[i].request));
        assert_int_equal(fixture->framing.http_1_0, table[i].http_1_0);
        assert_int_equal(fixture->framing.wants_close, table[i].wants_close);
    }
}

static void limit_is_that_of_the_path(void **state)
{
    static const struct {
        const char *path;
        int body_bytes;
        const char *why; /* NULL: taken */
    } table[] = {
        {"/small", 10, NULL},
        {"/small?id=/none", 10, NULL},
        {"/small", 11, "small is small"},
        {"/small?", 11, "small is small"},
        {"/none", 0, NULL},
        {"/none", 1, "none at all"},
        {"/", 1000, NULL},
        {"/", 1001, "too large"},
        {"/smal", 11, NULL},
        {"/small/", 11, NULL},
        {"/Small", 11, NULL},
        {"/x?/small", 11, NULL},
        {"//small", 11, NULL},
        {"http://h/small", 10, NULL},
        {"http://h/small?x", 11, "small is small"},
        {"http://h/none", 1, "none at all"},
        {"http://h", 1000, NULL},
        {"http://h?/small", 1001, "too large"},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (int chunked = 0; chunked < 2; chunked++) {
            char head[256];
            static const char *const forms[] = {
                "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n",
                "POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n"};
            (void)snprintf(head, sizeof(head), chunked ? forms[1] : forms[0], table[i].path,
                           table[i].body_bytes);
            struct framing framing;
            framing_init(&framing, &rules);
            assert_int_equal(evbuffer_add(fixture->inbox, head, strlen(head)), 0);
            struct framing_verdict verdict =
                framing_scan(&framing, fixture->inbox, fixture->output);
            assert_int_equal(verdict.refused, table[i].why != NULL ? 413 : 0);
            if (table[i].why != NULL)
                assert_string_equal(verdict.why, table[i].why);
            (void)evbuffer_drain(fixture->inbox, SIZE_MAX);
            framing_free(&framing);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_not_midway),           TEST(skipped_line_is_not_midway),
        TEST(body_is_taken_when_it_is_whole),  TEST(one_request_is_taken_at_a_time),
        TEST(chunks_are_taken_one_by_one),     TEST(trailers_are_taken_line_by_line),
        TEST(unfinished_chunks_are_freed),     TEST(client_that_waits_is_told_to_go_on),
        TEST(what_the_response_needs_to_know), TEST(limit_is_that_of_the_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
