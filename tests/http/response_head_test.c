/* The bytes of a head, for each kind of response. */
#include "http/response_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static const struct {
    struct response_head head;
    const char *bytes;
} rows[] = {
    {{.minor_version = 1, .status = 200, .type = "application/json", .date = DATE, .length = 40},
     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 40\r\n"
     "Date: " DATE "\r\n\r\n"},
    {{.minor_version = 1, .status = 200, .type = "a/b", .date = DATE, .length = 0},
     "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 0\r\nDate: " DATE "\r\n\r\n"},
    {{.minor_version = 1, .status = 200, .type = "a/b", .date = DATE, .length = UINT32_MAX},
     "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 4294967295\r\n"
     "Date: " DATE "\r\n\r\n"},
    {{.minor_version = 1, .status = 200, .type = "a/b", .date = "", .length = 1},
     "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 1\r\n\r\n"},
    {{.minor_version = 1,
      .status = 200,
      .type = "a/b",
      .date = DATE,
      .length = RESPONSE_LENGTH_UNKNOWN},
     "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n"
     "Date: " DATE "\r\n\r\n"},
    {{.minor_version = 0,
      .status = 200,
      .type = "a/b",
      .date = DATE,
      .length = RESPONSE_LENGTH_UNKNOWN},
     "HTTP/1.0 200 OK\r\nContent-Type: a/b\r\nDate: " DATE "\r\n\r\n"},
    {{.minor_version = 0,
      .status = 200,
      .type = "a/b",
      .date = DATE,
      .length = 5,
      .connection = RESPONSE_CONNECTION_KEEP_ALIVE},
     "HTTP/1.0 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\nDate: " DATE "\r\n"
     "Connection: keep-alive\r\n\r\n"},
    {{.minor_version = 1,
      .status = 405,
      .type = "text/plain",
      .date = DATE,
      .length = 5,
      .allow = "GET, HEAD",
      .connection = RESPONSE_CONNECTION_CLOSE},
     "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
     "Date: " DATE "\r\nAllow: GET, HEAD\r\nConnection: close\r\n\r\n"},
    {{.minor_version = 1,
      .status = 503,
      .type = "text/plain",
      .date = DATE,
      .length = 5,
      .retry_after_s = 1},
     "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
     "Date: " DATE "\r\nRetry-After: 1\r\n\r\n"},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[RESPONSE_HEAD_BYTES_MAX];
        size_t bytes = response_head_write(&rows[i].head, out);
        assert_int_equal(strlen(rows[i].bytes), bytes);
        assert_memory_equal(rows[i].bytes, out, bytes);
    }
}

static void test_the_longest_head_fits(void **state)
{
    static const int statuses[] = {200, 400, 404, 405, 408, 413, 417, 500, 503, 507};
    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        char out[RESPONSE_HEAD_BYTES_MAX];
        struct response_head head = {.minor_version = 1,
                                     .status = statuses[i],
                                     .type = "application/octet-stream",
                                     .date = DATE,
                                     .length = UINT64_MAX - 1,
                                     .allow = "GET, HEAD, POST, OPTIONS",
                                     .retry_after_s = UINT32_MAX,
                                     .connection = RESPONSE_CONNECTION_KEEP_ALIVE};
        assert_true(response_head_write(&head, out) < sizeof(out) / 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_the_longest_head_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
