/*
 * Tests of http/access_line: the format, and that nothing a client sends can end a field or a line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/access_line.h"

#define TIME "26/Nov/2026:22:08:23 +0000"
#define LONG_BYTES 20000

static const struct access_line plain = {.client = "192.0.2.1",
                                         .time = TIME,
                                         .method = "GET",
                                         .target = "/get?id=a&offset=0",
                                         .version = "HTTP/1.1",
                                         .status = 200,
                                         .sent_bytes = 5,
                                         .referer = "http://example.com/",
                                         .agent = "curl/8",
                                         .received_bytes = 7,
                                         .took_ns = 213456};

static char out[ACCESS_LINE_BYTES_MAX + 1];

static const char *written(const struct access_line *line)
{
    size_t bytes = access_line_write(line, out);
    assert_true(bytes <= ACCESS_LINE_BYTES_MAX);
    out[bytes] = '\0';
    assert_int_equal(strlen(out), bytes);
    assert_ptr_equal(strchr(out, '\n'), out + bytes - 1);
    return out;
}

static void test_format(void **state)
{
    struct access_line line = plain;
    (void)state;
    assert_string_equal(written(&line),
                        "192.0.2.1 - - [" TIME "] \"GET /get?id=a&offset=0 HTTP/1.1\" 200 5 "
                        "\"http://example.com/\" \"curl/8\" 7 0.213\n");
    line.referer = NULL;
    line.agent = "";
    line.took_ns = 61234567890;
    assert_string_equal(written(&line),
                        "192.0.2.1 - - [" TIME "] \"GET /get?id=a&offset=0 HTTP/1.1\" 200 5 "
                        "\"-\" \"-\" 7 61234.567\n");
    line.method = NULL;
    line.took_ns = 0;
    assert_string_equal(written(&line),
                        "192.0.2.1 - - [" TIME "] \"-\" 200 5 \"-\" \"-\" 7 0.000\n");
}

static void test_every_byte(void **state)
{
    char field[] = "a?b", expected[64];
    struct access_line line = plain;
    (void)state;
    line.target = line.referer = line.agent = field;
    for (int byte = 1; byte <= UCHAR_MAX; byte++) {
        field[1] = (char)byte;
        if (byte < 0x20 || byte > 0x7e || byte == '"' || byte == '\\')
            (void)snprintf(expected, sizeof(expected), "a\\x%02Xb", (unsigned)byte);
        else
            (void)snprintf(expected, sizeof(expected), "a%cb", byte);
        char whole[512];
        (void)snprintf(whole, sizeof(whole), "\"GET %s HTTP/1.1\" 200 5 \"%s\" \"%s\" 7 0.213\n",
                       expected, expected, expected);
        assert_string_equal(strchr(written(&line), '"'), whole);
    }
}

/* All fields as long as can be: the line fits, and none is cut in the middle of an escape. */
static void test_long_fields(void **state)
{
    char *field = malloc(LONG_BYTES + 1);
    struct access_line line = plain;
    (void)state;
    assert_non_null(field);
    line.client = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255";
    line.status = INT_MIN;
    line.sent_bytes = line.received_bytes = line.took_ns = UINT64_MAX;
    line.method = line.target = line.version = line.referer = line.agent = field;
    for (int ahead = 0; ahead < 4; ahead++) {
        memset(field, '\n', LONG_BYTES);
        memset(field, 'x', (size_t)ahead);
        field[LONG_BYTES] = '\0';
        for (const char *at = written(&line); (at = strchr(at, '\\')) != NULL; at++)
            assert_memory_equal(at, "\\x0A", 4);
    }
    memset(field, 'y', LONG_BYTES);
    const char *begin = strchr(written(&line), '"') + 1, *end = strchr(begin, '"');
    assert_int_equal(strcspn(strchr(begin, ' ') + 1, " "), ACCESS_LINE_TARGET_BYTES_MAX);
    begin = strchr(end + 1, '"') + 1;
    assert_int_equal(strcspn(begin, "\""), ACCESS_LINE_FIELD_BYTES_MAX);
    free(field);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_long_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
