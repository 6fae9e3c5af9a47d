/*
 * Tests of net/framing: how long a head, its trailers and a body may be, to the
 * byte, however the bytes are cut up on their way.
 */
#include "net/feeding.h"

/* The limit is for one body, not for all that a connection sends. */
static void limit_is_for_each_request(void **state)
{
    struct outcome expected = {0};
    char text[2000] = "";
    (void)state;
    for (int i = 0; i < 2; i++) {
        char given[1000], output[1000];
        int bytes = snprintf(given, sizeof(given), CHUNKED "258\r\n%0600d\r\n0\r\n\r\n", i);
        (void)snprintf(output, sizeof(output),
                       "POST / HTTP/1.1\r\n" HOST "Content-Length: 600\r\n\r\n%0600d", i);
        expect(&expected, (size_t)bytes, output, false);
        (void)strcat(text, given);
    }
    check(text, strlen(text), &expected);
}

static void body_as_long_as_the_limit_is_taken(void **state)
{
    static char text[2 * BODY_MAX + 200], output[2 * BODY_MAX];
    static const char head[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n";
    struct outcome expected = {0};
    (void)state;
    (void)strcpy(text, head);
    memset(text + strlen(head), 'x', BODY_MAX);
    expect(&expected, strlen(text), text, false);
    check(text, strlen(text), &expected);
    /* the same in chunks: 999 and 1 */
    int bytes = snprintf(text, sizeof(text), CHUNKED "3e7\r\n%0999d\r\n1\r\ny\r\n0\r\n\r\n", 0);
    (void)snprintf(output, sizeof(output), "%s%0999dy", head, 0);
    memset(&expected, 0, sizeof(expected));
    expect(&expected, (size_t)bytes, output, false);
    check(text, (size_t)bytes, &expected);
}

static void check_in_steps(const char *text, size_t bytes, const struct outcome *expected,
                           const char *what)
{
    static const size_t steps[] = {1, 1000, SIZE_MAX};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct outcome outcome;
        feed(text, bytes, steps[i], steps[i], &outcome);
        assert_same(&outcome, expected, what);
    }
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
    static char text[2 + HEAD_BYTES_MAX + 1] = "\r\n", *const head = text + 2;
    struct outcome taken = {0}, taken_behind = {0};
    static const struct outcome refused = {.refused = 400};
    (void)state;
    make_head(head, HEAD_BYTES_MAX);
    expect(&taken, HEAD_BYTES_MAX, GET, false);
    check_in_steps(head, HEAD_BYTES_MAX, &taken, "longest head");
    expect(&taken_behind, 2 + HEAD_BYTES_MAX, GET, false);
    check_in_steps(text, 2 + HEAD_BYTES_MAX, &taken_behind, "longest head after an empty line");
    make_head(head, HEAD_BYTES_MAX + 1);
    check_in_steps(head, HEAD_BYTES_MAX + 1, &refused, "a byte too long");
    check_in_steps(head, HEAD_BYTES_MAX, &refused, "a byte too long, and it is missing");
    memset(head, 'a', HEAD_BYTES_MAX); /* not even a line */
    check_in_steps(head, HEAD_BYTES_MAX, &refused, "no end");
    struct outcome waits = {.midway = true};
    check_in_steps(head, HEAD_BYTES_MAX - 1, &waits, "no end yet");
}

#define TRAILERS (CHUNKED "1\r\n1\r\n0\r\n")

/* A request whose trailers, with the empty line, have `bytes` bytes; their lines at most `line`. */
static size_t make_trailers(char *out, size_t bytes, size_t line)
{
    char *at = out + strlen(TRAILERS), *end = at + bytes - 2;
    memcpy(out, TRAILERS, strlen(TRAILERS));
    while (at < end) {
        size_t length = (size_t)(end - at) < 2 * line ? (size_t)(end - at) : line;
        memset(at, 'a', length);
        at[1] = ':';
        memcpy(at + length - 2, "\r\n", 2);
        at += length;
    }
    memcpy(end, "\r\n", 2);
    return strlen(TRAILERS) + bytes;
}

static void trailers_have_a_limit(void **state)
{
    static char text[sizeof(TRAILERS) + HEAD_BYTES_MAX + 1];
    static const size_t lines[] = {4, 5, 100, HEAD_BYTES_MAX};
    static const struct outcome refused = {.refused = 400}, waits = {.midway = true};
    struct outcome taken = {0};
    (void)state;
    expect(&taken, strlen(TRAILERS) + HEAD_BYTES_MAX,
           "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n1", false);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        size_t bytes = make_trailers(text, HEAD_BYTES_MAX, lines[i]);
        check_in_steps(text, bytes, &taken, "as many as there may be");
        check_in_steps(text, bytes - 1, &waits, "the last byte is missing");
        bytes = make_trailers(text, HEAD_BYTES_MAX + 1, lines[i]);
        check_in_steps(text, bytes, &refused, "a byte too many");
        check_in_steps(text, bytes - 1, &refused, "a byte too many, and it is missing");
    }
    memset(text + strlen(TRAILERS), 'a', HEAD_BYTES_MAX);
    check_in_steps(text, strlen(TRAILERS) + HEAD_BYTES_MAX, &refused, "no end");
    check_in_steps(text, strlen(TRAILERS) + HEAD_BYTES_MAX - 1, &waits, "no end yet");
}

/* What is counted of trailers and skipped of lines is counted anew for the next request. */
static void limits_begin_anew_with_each_request(void **state)
{
    static char text[3 * (sizeof(TRAILERS) + HEAD_BYTES_MAX + 2)];
    struct outcome expected = {0};
    size_t bytes = 0;
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        memcpy(text + bytes, "\r\n", 2);
        size_t more = 2 + make_trailers(text + bytes + 2, HEAD_BYTES_MAX, 200);
        expect(&expected, more, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n1", false);
        bytes += more;
    }
    check_in_steps(text, bytes, &expected, "three with all that there may be");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limit_is_for_each_request),
        cmocka_unit_test(body_as_long_as_the_limit_is_taken),
        cmocka_unit_test(head_has_a_limit),
        cmocka_unit_test(trailers_have_a_limit),
        cmocka_unit_test(limits_begin_anew_with_each_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
