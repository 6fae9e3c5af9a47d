/*
 * head: request line and headers of one request, as raw bytes.
 *
 * Checks that they are well-formed and unambiguous and says how the body is
 * framed; evhttp parses them again to serve them. Pure functions.
 */
#ifndef ROCHEFORT_NET_HEAD_H
#define ROCHEFORT_NET_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct head {
    const char *path; /* of the target, before any '?'; points into the bytes */
    size_t path_bytes;
    uint64_t content_length; /* 0 if there is none */
    bool chunked;
    bool wants_close;      /* Connection: close */
    bool expects_continue; /* Expect: 100-continue, and not HTTP/1.0 */
    int refused; /* the HTTP status to refuse with, and why; if head_parse answers false */
    const char *why;
};

/* `bytes` ends with the empty line. False: refused. */
bool head_parse(const char *bytes, size_t length, unsigned headers_max, struct head *head);

#endif
