/*
 * head: request line and header lines of one request, as raw bytes.
 *
 * head_parse checks that they are well-formed and unambiguous and tells how the
 * body is framed. head_write writes what evhttp is to see of them: the same
 * request in one plain form, with those header lines only that are read.
 *
 * Pure functions. The spans point into the bytes that were parsed.
 */
#ifndef ROCHEFORT_NET_HEAD_H
#define ROCHEFORT_NET_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAD_BYTES_MAX (16 * 1024) /* request line and header lines */
#define HEAD_LINES_MAX 64          /* header lines */
#define HEAD_FORWARDED_MAX 32      /* of them those that are forwarded */

/* Why a request with a body is refused whose method takes none. */
#define HEAD_NO_BODY "this method takes no body"

struct head_span {
    const char *at;
    size_t bytes;
};

struct head {
    struct head_span method;
    struct head_span target;        /* what follows the authority: a path, maybe a query; or "*" */
    struct head_span path;          /* of the target, before any '?' */
    struct head_span authority;     /* of the target, or what Host says */
    struct head_span authorization; /* at NULL if there is none */
    uint64_t content_length;        /* 0 if there is none */
    bool chunked;
    bool body_allowed; /* by the method */
    bool http_1_0;
    bool says_close;       /* Connection: close */
    bool says_keep_alive;  /* Connection: keep-alive */
    bool expects_continue; /* Expect: 100-continue, and not HTTP/1.0 */
    unsigned forwarded_count;
    struct {
        struct head_span name, value;
    } forwarded[HEAD_FORWARDED_MAX];
    int refused; /* the HTTP status to refuse with, and why; if head_parse answers false */
    const char *why;
};

/*
 * `bytes` ends with the empty line. `forwarded`: names of the header lines that head_write keeps
 * (ends with NULL); Host, and what frames the request, are not among them. False: refused.
 */
bool head_parse(const char *bytes, size_t length, const char *const forwarded[], struct head *head);

/*
 * One header line or trailer, without its end. False if it is not well-formed, or one of those that
 * say where a request ends or whom it is for, which have no business in a trailer.
 */
bool head_trailer_valid(const char *line, size_t length);

/* What head_write needs at most. */
#define HEAD_WRITTEN_BYTES_MAX (HEAD_BYTES_MAX + 64)

/*
 * Writes request line and header lines, without the length of the body and without the empty line
 * at the end. Returns how many bytes that is.
 */
size_t head_write(const struct head *head, char out[HEAD_WRITTEN_BYTES_MAX]);

bool head_method_is(const struct head *head, const char *method);

#endif
