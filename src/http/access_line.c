#include "http/access_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define METHOD_BYTES_MAX 64
#define ESCAPED_BYTES 4
#define NS_PER_US 1000
#define US_PER_MS 1000

static char *put_text(char *at, const char *text)
{
    size_t bytes = strlen(text);
    memcpy(at, text, bytes);
    return at + bytes;
}

static char *put_escaped(char *at, const char *text, size_t bytes_max)
{
    static const char digits[] = "0123456789ABCDEF";
    for (const char *end = at + bytes_max; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte >= ' ' && byte <= '~' && byte != '"' && byte != '\\') {
            if (at == end)
                break;
            *at++ = (char)byte;
            continue;
        }
        if (end - at < ESCAPED_BYTES)
            break;
        *at++ = '\\';
        *at++ = 'x';
        *at++ = digits[byte >> 4];
        *at++ = digits[byte & 0xf];
    }
    return at;
}

static char *put_request(char *at, const struct access_line *line)
{
    if (line->method == NULL)
        return put_text(at, "-");
    at = put_text(put_escaped(at, line->method, METHOD_BYTES_MAX), " ");
    at = put_text(put_escaped(at, line->target, ACCESS_LINE_TARGET_BYTES_MAX), " ");
    return put_escaped(at, line->version, METHOD_BYTES_MAX);
}

/* In quotation marks. */
static char *put_field(char *at, const char *text)
{
    at = put_text(at, " \"");
    if (text == NULL || text[0] == '\0')
        at = put_text(at, "-");
    else
        at = put_escaped(at, text, ACCESS_LINE_FIELD_BYTES_MAX);
    return put_text(at, "\"");
}

size_t access_line_write(const struct access_line *line, char out[ACCESS_LINE_BYTES_MAX])
{
    char *end = out + ACCESS_LINE_BYTES_MAX, *at = put_text(out, line->client);
    at = put_text(put_text(put_text(at, " - - ["), line->time), "] \"");
    at = put_request(at, line);
    at += snprintf(at, (size_t)(end - at), "\" %d %" PRIu64, line->status, line->sent_bytes);
    at = put_field(put_field(at, line->referer), line->agent);
    uint64_t us = line->took_ns / NS_PER_US;
    at += snprintf(at, (size_t)(end - at), " %" PRIu64 " %" PRIu64 ".%03u\n", line->received_bytes,
                   us / US_PER_MS, (unsigned)(us % US_PER_MS));
    return (size_t)(at - out);
}
