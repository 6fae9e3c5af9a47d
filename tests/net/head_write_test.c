/*
 * Tests of net/head: what evhttp is given of a head. Every byte of it, for
 * every form that a request may come in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "net/head.h"

#define H "Host: h\r\n"
#define PLAIN "GET /get?id=1 HTTP/1.1\r\n" H

static const char *const forwarded[] = {"Range", "If-None-Match", "X-Both", NULL};
static const char *const nothing_forwarded[] = {NULL};

static const struct {
    const char *given; /* without the empty line */
    const char *written;
} table[] = {
    {PLAIN, PLAIN},
    {"GET / HTTP/1.1\r\nhOST:h\r\n", "GET / HTTP/1.1\r\n" H},
    {"GET / HTTP/1.1\r\nHost: \t h:80 \t\r\n", "GET / HTTP/1.1\r\nHost: h:80\r\n"},
    {"GET / HTTP/1.1\r\nHost:\r\n", "GET / HTTP/1.1\r\n"},
    {"HEAD /a%2fb?c=%00&d=+ HTTP/1.1\r\n" H, "HEAD /a%2fb?c=%00&d=+ HTTP/1.1\r\n" H},
    {"GET /\xff HTTP/1.1\r\n" H, "GET /\xff HTTP/1.1\r\n" H},
    {"GET //x/get HTTP/1.1\r\n" H, "GET //x/get HTTP/1.1\r\n" H},
    /* one version, whichever was spoken */
    {"GET / HTTP/1.0\r\n" H, "GET / HTTP/1.1\r\n" H},
    {"GET / HTTP/1.0\r\n", "GET / HTTP/1.1\r\n"},
    {"GET / HTTP/1.9\r\n" H, "GET / HTTP/1.1\r\n" H},
    /* absolute-form becomes a path, and its authority the host */
    {"GET http://x/get?id=1 HTTP/1.1\r\n" H, "GET /get?id=1 HTTP/1.1\r\nHost: x\r\n"},
    {"GET HTTPS://X:443/get HTTP/1.1\r\n" H, "GET /get HTTP/1.1\r\nHost: X:443\r\n"},
    {"GET http://x/get HTTP/1.1\r\nHost:\r\n", "GET /get HTTP/1.1\r\nHost: x\r\n"},
    {"GET http://x/get HTTP/1.0\r\n", "GET /get HTTP/1.1\r\nHost: x\r\n"},
    {"GET http://x HTTP/1.1\r\n" H, "GET / HTTP/1.1\r\nHost: x\r\n"},
    {"GET http://x/ HTTP/1.1\r\n" H, "GET / HTTP/1.1\r\nHost: x\r\n"},
    {"GET http://x?id=1 HTTP/1.1\r\n" H, "GET /?id=1 HTTP/1.1\r\nHost: x\r\n"},
    {"GET http://x//y HTTP/1.1\r\n" H, "GET //y HTTP/1.1\r\nHost: x\r\n"},
    {"GET http://x/* HTTP/1.1\r\n" H, "GET /* HTTP/1.1\r\nHost: x\r\n"},
    {"OPTIONS * HTTP/1.1\r\n" H, "OPTIONS * HTTP/1.1\r\n" H},
    {"OPTIONS http://x HTTP/1.1\r\n" H, "OPTIONS * HTTP/1.1\r\nHost: x\r\n"},
    {"OPTIONS http://x/ HTTP/1.1\r\n" H, "OPTIONS / HTTP/1.1\r\nHost: x\r\n"},
    {"OPTIONS http://x?y HTTP/1.1\r\n" H, "OPTIONS /?y HTTP/1.1\r\nHost: x\r\n"},
    {"OPTIONS /get HTTP/1.1\r\n" H, "OPTIONS /get HTTP/1.1\r\n" H},
    /* what frames the request is not repeated: the body's length is added by who knows it */
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n", "POST / HTTP/1.1\r\n" H},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n", "POST / HTTP/1.1\r\n" H},
    {"POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\n", "POST / HTTP/1.1\r\n" H},
    {PLAIN "Connection: close\r\n", PLAIN},
    {PLAIN "Connection: X-Both, keep-alive\r\nKeep-Alive: timeout=5\r\n", PLAIN},
    {PLAIN "Upgrade: h2c\r\nTE: trailers\r\nTrailer: Range\r\n", PLAIN},
    /* header lines: those that are read, in their order, trimmed */
    {PLAIN "Accept: */*\r\nUser-Agent: curl/7.88.1\r\n", PLAIN},
    {PLAIN "Range: bytes=0-1\r\n", PLAIN "Range: bytes=0-1\r\n"},
    {"GET /get?id=1 HTTP/1.1\r\nX-Both: a\r\nHost: h\r\nA: b\r\nRange: c\r\n",
     PLAIN "X-Both: a\r\nRange: c\r\n"},
    {PLAIN "rANGE:\t bytes=0-1 \t\r\n", PLAIN "rANGE: bytes=0-1\r\n"},
    {PLAIN "If-None-Match:\r\n", PLAIN "If-None-Match: \r\n"},
    {PLAIN "X-Both: a\tb: c\r\n", PLAIN "X-Both: a\tb: c\r\n"},
    {PLAIN "X-Both: a\r\nX-Both: b\r\n", PLAIN "X-Both: a\r\nX-Both: b\r\n"},
    {PLAIN "X-Both: \xe4\r\n", PLAIN "X-Both: \xe4\r\n"},
    {PLAIN "X-Bot: a\r\nX-Bothe: b\r\nX_Both: c\r\nRang: d\r\n", PLAIN},
};

static void heads_are_written_in_one_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char given[256], written[HEAD_WRITTEN_BYTES_MAX];
        (void)strcat(strcpy(given, table[i].given), "\r\n");
        struct head head;
        if (!head_parse(given, strlen(given), forwarded, &head))
            fail_msg("refused (%s): %s", head.why, given);
        size_t bytes = head_write(&head, written);
        if (bytes != strlen(table[i].written) || memcmp(written, table[i].written, bytes) != 0)
            fail_msg("of: %sthere was written: %.*s", given, (int)bytes, written);
    }
}

/* What is written is itself a good head, and is written so again. */
static void what_is_written_stays_as_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char given[256], written[HEAD_WRITTEN_BYTES_MAX];
        struct head head;
        if (strstr(table[i].written, "Host: ") == NULL)
            continue; /* of HTTP/1.0, or empty; HTTP/1.1 must have one, and evhttp does not look */
        (void)strcat(strcpy(given, table[i].written), "\r\n");
        assert_true(head_parse(given, strlen(given), forwarded, &head));
        assert_int_equal(head_write(&head, written), strlen(table[i].written));
        assert_memory_equal(written, table[i].written, strlen(table[i].written));
    }
}

static void nothing_is_kept_of_a_head_that_nobody_reads(void **state)
{
    static const char given[] = PLAIN "Range: a\r\nX-Both: b\r\n\r\n";
    char written[HEAD_WRITTEN_BYTES_MAX];
    struct head head;
    (void)state;
    assert_true(head_parse(given, sizeof(given) - 1, nothing_forwarded, &head));
    assert_int_equal(head_write(&head, written), strlen(PLAIN));
    assert_memory_equal(written, PLAIN, strlen(PLAIN));
}

static void lines_that_are_kept_are_counted(void **state)
{
    (void)state;
    for (unsigned count = 0; count <= HEAD_FORWARDED_MAX + 2; count++) {
        char given[1024] = PLAIN "A: not kept\r\n", expected[1024] = PLAIN;
        char written[HEAD_WRITTEN_BYTES_MAX];
        struct head head;
        for (unsigned i = 0; i < count; i++) {
            (void)strcat(given, "Range:x\r\n");
            (void)strcat(expected, "Range: x\r\n");
        }
        (void)strcat(given, "\r\n");
        bool taken = head_parse(given, strlen(given), forwarded, &head);
        assert_int_equal(taken, count <= HEAD_FORWARDED_MAX);
        assert_int_equal(head.refused, taken ? 0 : 400);
        if (!taken)
            continue;
        assert_int_equal(head_write(&head, written), strlen(expected));
        assert_memory_equal(written, expected, strlen(expected));
    }
}

/*
 * A head of as many bytes as there may be, in which whatever can become longer does: no Host line,
 * no path, no spaces after the colons.
 */
static void longest_head_fits(void **state)
{
    static const char start[] = "GET http://x? HTTP/1.0\r\n", line[] = "Range:\r\n";
    char *given = malloc(HEAD_BYTES_MAX), *written = malloc(HEAD_WRITTEN_BYTES_MAX);
    struct head head;
    (void)state;
    assert_non_null(given);
    assert_non_null(written);
    char *at = given + HEAD_BYTES_MAX - 2;
    memcpy(at, "\r\n", 2);
    for (unsigned i = 0; i < HEAD_FORWARDED_MAX; i++)
        memcpy(at -= sizeof(line) - 1, line, sizeof(line) - 1);
    memset(given, 'q', (size_t)(at - given));
    memcpy(given, start, 13);
    memcpy(at - 11, start + 13, 11);
    assert_true(head_parse(given, HEAD_BYTES_MAX, forwarded, &head));
    assert_int_equal(head.forwarded_count, HEAD_FORWARDED_MAX);
    /* a slash, a space a line, and "Host: x\r\n" for "http://x"; the empty line is not there */
    assert_int_equal(head_write(&head, written), HEAD_BYTES_MAX - 2 + 1 + HEAD_FORWARDED_MAX + 1);
    free(given);
    free(written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_written_in_one_form),
        cmocka_unit_test(what_is_written_stays_as_it_is),
        cmocka_unit_test(nothing_is_kept_of_a_head_that_nobody_reads),
        cmocka_unit_test(lines_that_are_kept_are_counted),
        cmocka_unit_test(longest_head_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
