/*
 * access_line: one line of the access log.
 *
 *   192.0.2.1 - - [26/Nov/2026:22:08:23 +0000] "GET /get?id=a&offset=0 HTTP/1.1" 200 5 "-" "curl/8"
 * 0 0.213
 *
 * That is the combined format of web servers, then the bytes of the request's body and the
 * milliseconds. What comes from the client is escaped as nginx does: a quotation mark, a backslash,
 * and all that is not printable ASCII is \xHH, so a client can end neither a field nor the line.
 * Longer fields are cut.
 *
 * A pure function. No errors.
 */
#ifndef ROCHEFORT_HTTP_ACCESS_LINE_H
#define ROCHEFORT_HTTP_ACCESS_LINE_H

#include <stddef.h>
#include <stdint.h>

/* Of a field, once it is escaped. */
#define ACCESS_LINE_TARGET_BYTES_MAX 4096
#define ACCESS_LINE_FIELD_BYTES_MAX 1024
#define ACCESS_LINE_BYTES_MAX 8192

struct access_line {
    const char *client;                    /* its address */
    const char *time;                      /* without the brackets */
    const char *method, *target, *version; /* method NULL: they are not known */
    int status;
    uint64_t sent_bytes;         /* of the response's body */
    const char *referer, *agent; /* NULL: there is none */
    uint64_t received_bytes;     /* of the request's body */
    uint64_t took_ns;
};

/* Returns how many bytes the line has, with its newline. */
size_t access_line_write(const struct access_line *line, char out[ACCESS_LINE_BYTES_MAX]);

#endif
