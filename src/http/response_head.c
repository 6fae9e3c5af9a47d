#include "http/response_head.h"

#include <string.h>

#include "base/decimal.h"
#include "http/status.h"

static char *put(char *at, const char *text)
{
    size_t bytes = strlen(text);
    memcpy(at, text, bytes);
    return at + bytes;
}

static char *put_number(char *at, uint64_t number)
{
    return at + decimal_write(number, at);
}

static char *put_line(char *at, const char *name, const char *value)
{
    return put(put(put(at, name), value), "\r\n");
}

static char *put_status_line(char *at, const struct response_head *head)
{
    at = put(at, head->minor_version == 0 ? "HTTP/1.0 " : "HTTP/1.1 ");
    at = put_number(at, (uint64_t)head->status);
    return put_line(at, " ", status_reason(head->status));
}

static char *put_length(char *at, const struct response_head *head)
{
    if (head->length == RESPONSE_NO_BODY)
        return at;
    if (head->length != RESPONSE_LENGTH_UNKNOWN)
        return put(put_number(put(at, "Content-Length: "), head->length), "\r\n");
    return head->minor_version == 0 ? at : put(at, "Transfer-Encoding: chunked\r\n");
}

/* All texts but the date and the origin, whose length is limited, are ours and short: the sum of
 * their lengths is far below the maximum. */
size_t response_head_write(const struct response_head *head, char out[RESPONSE_HEAD_BYTES_MAX])
{
    char *at = put_status_line(out, head);
    if (head->type != NULL)
        at = put_line(at, "Content-Type: ", head->type);
    at = put_length(at, head);
    if (head->date[0] != '\0')
        at = put_line(at, "Date: ", head->date);
    at = put_line(at, "Cache-Control: ", head->cache_control);
    if (head->validators != NULL) {
        at = put_line(at, "ETag: ", head->validators->tag);
        at = put_line(at, "Last-Modified: ", head->validators->modified);
        at = put(at, "Accept-Ranges: bytes\r\n");
    }
    if (head->is_page)
        at = put(at, "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
                     "script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
                     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
                     "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n");
    if (head->content_range != NULL)
        at = put_line(at, "Content-Range: ", head->content_range);
    if (head->allow != NULL)
        at = put_line(at, "Allow: ", head->allow);
    if (head->wants_token)
        at = put(at, "WWW-Authenticate: Bearer realm=\"rochefort\"\r\n");
    if (head->has_next)
        at = put(put_number(put(at, "Rochefort-Next-Offset: "), head->next), "\r\n");
    if (head->has_tail)
        at = put(put_number(put(at, "Rochefort-Tail: "), head->tail), "\r\n");
    if (head->retry_after_s > 0)
        at = put(put_number(put(at, "Retry-After: "), head->retry_after_s), "\r\n");
    if (head->varies)
        at = put(at, "Vary: Origin\r\n");
    if (head->origin != NULL) {
        at = put_line(at, "Access-Control-Allow-Origin: ", head->origin);
        at = put(at, "Access-Control-Expose-Headers: ETag, Content-Range, Rochefort-Tail, "
                     "Rochefort-Next-Offset\r\n");
    }
    if (head->methods != NULL) {
        at = put_line(at, "Access-Control-Allow-Methods: ", head->methods);
        at = put_line(at, "Access-Control-Allow-Headers: ", head->headers);
    }
    if (head->keep_alive_s > 0)
        at = put(put_number(put(at, "Keep-Alive: timeout="), head->keep_alive_s), "\r\n");
    if (head->connection == RESPONSE_CONNECTION_CLOSE)
        at = put(at, "Connection: close\r\n");
    else if (head->connection == RESPONSE_CONNECTION_KEEP_ALIVE)
        at = put(at, "Connection: keep-alive\r\n");
    return (size_t)(put(at, "\r\n") - out);
}
