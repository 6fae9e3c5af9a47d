/* The bytes of a head, for each kind of response. */
#include "http/response_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define NEVER "Cache-Control: no-store\r\n"

static const struct {
    struct response_head head;
    const char *bytes;
} rows[] = {
    {{.minor_version = 1,
      .status = 200,
      .type = "application/json",
      .date = DATE,
      .cache_control = "no-store",
      .length = 40},
     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 40\r\n"
     "Date: " DATE "\r\n" NEVER "\r\n"},
    {{.minor_version = 1,
      .status = 200,
      .type = "a/b",
      .date = DATE,
      .cache_control = "no-store",
      .length = 0},
     "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 0\r\nDate: " DATE "\r\n" NEVER
     "\r\n"},
    {{.minor_version = 1,
      .status = 200,
      .type = "a/b",
      .date = DATE,
      .cache_control = "no-store",
      .length = UINT32_MAX},
     "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 4294967295\r\n"
     "Date: " DATE "\r\n" NEVER "\r\n"},
    {{.minor_version = 1,
      .status = 200,
      .type = "a/b",
      .date = "",
      .cache_control = "no-store",
      .length = 1},
     "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 1\r\n" NEVER "\r\n"},
    {{.minor_version = 1,
      .status = 200,
      .type = "a/b",
      .date = DATE,
      .cache_control = "no-store",
      .length = RESPONSE_LENGTH_UNKNOWN},
     "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n"
     "Date: " DATE "\r\n" NEVER "\r\n"},
    {{.minor_version = 0,
      .status = 200,
      .type = "a/b",
      .date = DATE,
      .cache_control = "no-store",
      .length = RESPONSE_LENGTH_UNKNOWN},
     "HTTP/1.0 200 OK\r\nContent-Type: a/b\r\nDate: " DATE "\r\n" NEVER "\r\n"},
    {{.minor_version = 0,
      .status = 200,
      .type = "a/b",
      .date = DATE,
      .cache_control = "no-store",
      .length = 5,
      .connection = RESPONSE_CONNECTION_KEEP_ALIVE},
     "HTTP/1.0 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\nDate: " DATE "\r\n" NEVER
     "Connection: keep-alive\r\n\r\n"},
    {{.minor_version = 1,
      .status = 405,
      .type = "text/plain",
      .date = DATE,
      .cache_control = "no-store",
      .length = 5,
      .allow = "GET, HEAD",
      .connection = RESPONSE_CONNECTION_CLOSE},
     "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
     "Date: " DATE "\r\n" NEVER "Allow: GET, HEAD\r\nConnection: close\r\n\r\n"},
    {{.minor_version = 1,
      .status = 503,
      .type = "text/plain",
      .date = DATE,
      .cache_control = "no-store",
      .length = 5,
      .retry_after_s = 1},
     "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
     "Date: " DATE "\r\n" NEVER "Retry-After: 1\r\n\r\n"},
    {{.minor_version = 1,
      .status = 412,
      .type = "text/plain",
      .date = DATE,
      .cache_control = "no-store",
      .length = 5,
      .has_tail = true,
      .tail = 9223372036854775807},
     "HTTP/1.1 412 Precondition Failed\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
     "Date: " DATE "\r\n" NEVER "Rochefort-Tail: 9223372036854775807\r\n\r\n"},
    /* a status without a body: neither its length nor its type is told */
    {{.minor_version = 1,
      .status = 204,
      .date = DATE,
      .cache_control = "no-store",
      .length = RESPONSE_NO_BODY,
      .allow = "GET, HEAD, OPTIONS"},
     "HTTP/1.1 204 No Content\r\nDate: " DATE "\r\n" NEVER "Allow: GET, HEAD, OPTIONS\r\n\r\n"},
    {{.minor_version = 0,
      .status = 204,
      .date = DATE,
      .cache_control = "no-store",
      .length = RESPONSE_NO_BODY,
      .connection = RESPONSE_CONNECTION_CLOSE},
     "HTTP/1.0 204 No Content\r\nDate: " DATE "\r\n" NEVER "Connection: close\r\n\r\n"},
    {{.minor_version = 1, .status = 200, .date = DATE, .cache_control = "no-store", .length = 5},
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: " DATE "\r\n" NEVER "\r\n"},
    {{.minor_version = 1,
      .status = 200,
      .type = "a/b",
      .date = DATE,
      .cache_control = "no-store",
      .length = RESPONSE_NO_BODY - 1},
     "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 18446744073709551613\r\n"
     "Date: " DATE "\r\n" NEVER "\r\n"},
    {{.minor_version = 1,
      .status = 200,
      .type = "a/b",
      .date = DATE,
      .cache_control = "no-store",
      .length = 5,
      .keep_alive_s = 75},
     "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\nDate: " DATE "\r\n" NEVER
     "Keep-Alive: timeout=75\r\n\r\n"},
    {{.minor_version = 0,
      .status = 200,
      .type = "a/b",
      .date = DATE,
      .cache_control = "no-store",
      .length = 5,
      .keep_alive_s = UINT32_MAX,
      .connection = RESPONSE_CONNECTION_KEEP_ALIVE},
     "HTTP/1.0 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\nDate: " DATE "\r\n" NEVER
     "Keep-Alive: timeout=4294967295\r\nConnection: keep-alive\r\n\r\n"},
    {{.minor_version = 1,
      .status = 200,
      .type = "a/b",
      .date = DATE,
      .length = 5,
      .cache_control = "no-cache"},
     "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\nDate: " DATE "\r\n"
     "Cache-Control: no-cache\r\n\r\n"},
    /* a value, a part of it, and one that the client has */
    {{.minor_version = 1,
      .status = 206,
      .type = "a/b",
      .date = DATE,
      .length = 5,
      .cache_control = "no-cache",
      .validators = &(const struct response_validators){"\"t\"", DATE},
      .content_range = "bytes 1-5/9"},
     "HTTP/1.1 206 Partial Content\r\nContent-Type: a/b\r\nContent-Length: 5\r\nDate: " DATE
     "\r\nCache-Control: no-cache\r\nETag: \"t\"\r\nLast-Modified: " DATE
     "\r\nAccept-Ranges: bytes\r\nContent-Range: bytes 1-5/9\r\n\r\n"},
    {{.minor_version = 1,
      .status = 304,
      .date = DATE,
      .length = RESPONSE_NO_BODY,
      .cache_control = "no-cache",
      .validators = &(const struct response_validators){"\"t\"", DATE}},
     "HTTP/1.1 304 Not Modified\r\nDate: " DATE "\r\nCache-Control: no-cache\r\nETag: \"t\"\r\n"
     "Last-Modified: " DATE "\r\nAccept-Ranges: bytes\r\n\r\n"},
    /* to the page of another origin, and to its preflight */
    {{.minor_version = 1,
      .status = 200,
      .type = "a/b",
      .date = DATE,
      .length = 5,
      .cache_control = "no-store",
      .varies = true,
      .origin = "https://app.example",
      .keep_alive_s = 75},
     "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\nDate: " DATE "\r\n" NEVER
     "Vary: Origin\r\nAccess-Control-Allow-Origin: https://app.example\r\n"
     "Access-Control-Expose-Headers: ETag, Content-Range, Rochefort-Tail, Rochefort-Next-Offset\r\n"
     "Keep-Alive: timeout=75\r\n\r\n"},
    {{.minor_version = 1,
      .status = 204,
      .date = DATE,
      .length = RESPONSE_NO_BODY,
      .cache_control = "no-store",
      .allow = "GET, OPTIONS",
      .varies = true,
      .origin = "https://app.example",
      .methods = "GET, OPTIONS",
      .headers = "Content-Type"},
     "HTTP/1.1 204 No Content\r\nDate: " DATE "\r\n" NEVER "Allow: GET, OPTIONS\r\n"
     "Vary: Origin\r\nAccess-Control-Allow-Origin: https://app.example\r\n"
     "Access-Control-Expose-Headers: ETag, Content-Range, Rochefort-Tail, Rochefort-Next-Offset\r\n"
     "Access-Control-Allow-Methods: GET, OPTIONS\r\n"
     "Access-Control-Allow-Headers: Content-Type\r\n\r\n"},
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
    static const int statuses[] = {200, 204, 400, 403, 404, 405, 408, 413, 417, 500, 503, 507};
    char origin[RESPONSE_ORIGIN_BYTES_MAX + 1];
    (void)state;
    memset(origin, 'o', sizeof(origin) - 1);
    origin[sizeof(origin) - 1] = '\0';
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        char out[RESPONSE_HEAD_BYTES_MAX];
        struct response_head head = {.minor_version = 1,
                                     .status = statuses[i],
                                     .type = "application/octet-stream",
                                     .date = DATE,
                                     .length = RESPONSE_NO_BODY - 1,
                                     .cache_control = "no-store",
                                     .allow = "GET, HEAD, POST, OPTIONS",
                                     .origin = origin,
                                     .methods = "GET, HEAD, POST, OPTIONS",
                                     .headers = "Content-Type",
                                     .retry_after_s = UINT32_MAX,
                                     .keep_alive_s = UINT32_MAX,
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
