/*
 * Tests of http/framing step by step: which bytes are released when, how many
 * are missing, who is told to go on, and which limit holds for which path.
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

#define HOST "Host: h\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST "\r\n"
#define POST_5 "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n"
#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

static const struct framing_limit limits[] = {
    {"/small", 10, "small is small"}, {"/none", 0, "none at all"}, {NULL, 1000, "too large"}};

static void nothing_is_not_midway(void **state)
{
    (void)state;
    struct framing framing;
    struct evbuffer *inbox = evbuffer_new();
    framing_init(&framing, limits);
    struct framing_verdict verdict = framing_scan(&framing, inbox);
    assert_int_equal(verdict.ready_bytes, 0);
    assert_int_equal(verdict.refused, 0);
    assert_false(verdict.complete);
    assert_false(framing_midway(&framing, inbox));
    evbuffer_free(inbox);
}

/* A scan of what is in the inbox and `more`. */
static struct framing_verdict scan(struct framing *framing, struct evbuffer *inbox,
                                   const char *more)
{
    assert_int_equal(evbuffer_add(inbox, more, strlen(more)), 0);
    struct framing_verdict verdict = framing_scan(framing, inbox);
    assert_int_equal(verdict.refused, 0);
    (void)evbuffer_drain(inbox, verdict.ready_bytes);
    return verdict;
}

static void body_is_released_when_it_is_whole(void **state)
{
    (void)state;
    struct framing framing;
    struct evbuffer *inbox = evbuffer_new();
    framing_init(&framing, limits);
    assert_int_equal(framing_missing(&framing, inbox), 0);
    assert_int_equal(scan(&framing, inbox, POST_5).ready_bytes, 0);
    assert_int_equal(framing_missing(&framing, inbox), 5);
    assert_int_equal(scan(&framing, inbox, "12").ready_bytes, 0);
    assert_int_equal(framing_missing(&framing, inbox), 3);
    assert_true(framing_midway(&framing, inbox));
    struct framing_verdict verdict = scan(&framing, inbox, "345GET");
    assert_int_equal(verdict.ready_bytes, strlen(POST_5) + 5);
    assert_true(verdict.complete);
    assert_int_equal(framing_missing(&framing, inbox), 0);
    assert_int_equal(evbuffer_get_length(inbox), 3);
    evbuffer_free(inbox);
}

/* A long body must not have to be all there before it is handed on. */
static void chunks_are_released_one_by_one(void **state)
{
    (void)state;
    struct framing framing;
    struct evbuffer *inbox = evbuffer_new();
    framing_init(&framing, limits);
    assert_int_equal(scan(&framing, inbox, CHUNKED "3").ready_bytes, 0);
    assert_int_equal(framing_missing(&framing, inbox), 0); /* not known yet */
    assert_int_equal(scan(&framing, inbox, "\r\n1").ready_bytes, 0);
    assert_int_equal(framing_missing(&framing, inbox), 4); /* with the end of the line */
    assert_int_equal(scan(&framing, inbox, "23\r").ready_bytes, 0);
    assert_int_equal(framing_missing(&framing, inbox), 1);
    struct framing_verdict verdict = scan(&framing, inbox, "\n2\r\n4");
    assert_int_equal(verdict.ready_bytes, strlen(CHUNKED "3\r\n123\r\n"));
    assert_false(verdict.complete);
    assert_int_equal(framing_missing(&framing, inbox), 3);
    verdict = scan(&framing, inbox, "5\r\n1\r\n6\r\n0\r");
    assert_int_equal(verdict.ready_bytes, strlen("2\r\n45\r\n1\r\n6\r\n"));
    assert_false(verdict.complete);
    assert_true(framing_midway(&framing, inbox));
    verdict = scan(&framing, inbox, "\n\r\n");
    assert_int_equal(verdict.ready_bytes, strlen("0\r\n\r\n"));
    assert_true(verdict.complete);
    assert_false(framing_midway(&framing, inbox));
    evbuffer_free(inbox);
}

static void client_that_waits_is_told_to_go_on(void **state)
{
    (void)state;
    static const struct {
        const char *first, *then;
        bool owes;
    } table[] = {
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", "x", true},
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
         "0\r\n\r\n", true},
        /* nothing is owed to one that did not wait, has no body or would not understand */
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nx", "y",
         false},
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", GET,
         false},
        {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", "x", false},
        {POST_5, "12345", false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct framing framing;
        struct evbuffer *inbox = evbuffer_new();
        framing_init(&framing, limits);
        (void)scan(&framing, inbox, table[i].first);
        assert_int_equal(framing.owes_continue, table[i].owes);
        framing.owes_continue = false;
        assert_true(scan(&framing, inbox, table[i].then).complete);
        assert_false(framing.owes_continue);
        evbuffer_free(inbox);
    }
}

static void limit_is_that_of_the_path(void **state)
{
    (void)state;
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
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (int chunked = 0; chunked < 2; chunked++) {
            char head[256];
            static const char *const forms[] = {
                "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n",
                "POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n"};
            (void)snprintf(head, sizeof(head), chunked ? forms[1] : forms[0], table[i].path,
                           table[i].body_bytes);
            struct framing framing;
            struct evbuffer *inbox = evbuffer_new();
            framing_init(&framing, limits);
            assert_int_equal(evbuffer_add(inbox, head, strlen(head)), 0);
            struct framing_verdict verdict = framing_scan(&framing, inbox);
            assert_int_equal(verdict.refused, table[i].why != NULL ? 413 : 0);
            if (table[i].why != NULL)
                assert_string_equal(verdict.why, table[i].why);
            evbuffer_free(inbox);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_not_midway),
        cmocka_unit_test(body_is_released_when_it_is_whole),
        cmocka_unit_test(chunks_are_released_one_by_one),
        cmocka_unit_test(client_that_waits_is_told_to_go_on),
        cmocka_unit_test(limit_is_that_of_the_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
