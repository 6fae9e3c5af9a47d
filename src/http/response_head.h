/*
 * response_head: the status line and the header lines of a response.
 *
 * Pure function: the same head gives the same bytes. Any thread.
 */
#ifndef ROCHEFORT_HTTP_RESPONSE_HEAD_H
#define ROCHEFORT_HTTP_RESPONSE_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESPONSE_HEAD_BYTES_MAX 2048
#define RESPONSE_ORIGIN_BYTES_MAX 256
#define RESPONSE_CACHE_NEVER "no-store"
#define RESPONSE_RETRY_AFTER_S 1
#define RESPONSE_LENGTH_UNKNOWN UINT64_MAX
#define RESPONSE_NO_BODY (UINT64_MAX - 1) /* of a status that has none: no length is told */

enum response_connection {
    RESPONSE_CONNECTION_DEFAULT,    /* of its HTTP version: nothing is said */
    RESPONSE_CONNECTION_CLOSE,      /* the last response of the connection */
    RESPONSE_CONNECTION_KEEP_ALIVE, /* to a client of HTTP/1.0 that asked for it; with Keep-Alive */
};

/* What identifies a value: ETag, Last-Modified. With them goes Accept-Ranges. */
struct response_validators {
    const char *tag, *modified;
};

struct response_head {
    unsigned minor_version; /* of HTTP/1: 0 or 1 */
    int status;
    const char *type; /* Content-Type; NULL: no such line */
    const char *date; /* Date; no such line if it is "" */
    /* Of the body. If unknown it is chunked, or with HTTP/1.0 ends with the connection. */
    uint64_t length;
    const char *cache_control;                    /* Cache-Control */
    const struct response_validators *validators; /* of a value; NULL */
    bool is_page;                                 /* with what a browser may do with it */
    const char *content_range;                    /* Content-Range; NULL: no such line */
    const char *allow;                            /* Allow; NULL: no such line */
    bool wants_token;                             /* WWW-Authenticate; false: no such line */
    bool has_tail;                                /* Rochefort-Tail; false: no such line */
    uint64_t tail;
    bool has_next; /* Rochefort-Next-Offset; the same */
    uint64_t next;
    /* Access-Control-Allow-Origin, of at most RESPONSE_ORIGIN_BYTES_MAX bytes; NULL: no such line
     */
    const char *origin;
    bool varies;                   /* Vary: with another Origin the response may be another one */
    const char *methods, *headers; /* what a preflight is told, together; NULL: no such lines */
    unsigned retry_after_s;        /* Retry-After; 0: no such line */
    unsigned keep_alive_s;         /* Keep-Alive: timeout; 0: no such line */
    enum response_connection connection;
};

/* Writes it, the empty line at its end included. Returns how many bytes that is. */
size_t response_head_write(const struct response_head *head, char out[RESPONSE_HEAD_BYTES_MAX]);

#endif
