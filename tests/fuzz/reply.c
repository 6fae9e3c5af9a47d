#include "fuzz/reply.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LENGTH_UNKNOWN SIZE_MAX

struct frame {
    size_t length; /* Content-Length, or LENGTH_UNKNOWN */
    bool chunked, keep_alive, http_1_0;
};

static bool is_line_of_text(const char *line, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            return false;
    return true;
}

/* The value if the line is this header, else NULL. */
static const char *value_of(const char *line, const char *name)
{
    size_t bytes = strlen(name);
    return strncmp(line, name, bytes) == 0 && strncmp(line + bytes, ": ", 2) == 0 ? line + bytes + 2
                                                                                  : NULL;
}

static const char *read_status_line(const char *line, struct reply *reply, struct frame *frame)
{
    if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ')
        return "no status line";
    frame->http_1_0 = line[7] == '0';
    char *end;
    reply->status = (int)strtol(line + 9, &end, 10);
    if (end != line + 12 || *end != ' ' || reply->status < 100 || reply->status > 599)
        return "no status";
    return NULL;
}

static const char *read_header(const char *line, struct reply *reply, struct frame *frame)
{
    const char *value;
    if (strstr(line, ": ") == NULL)
        return "no header line";
    if ((value = value_of(line, "Content-Length")) != NULL) {
        char *end;
        if (frame->length != LENGTH_UNKNOWN)
            return "two lengths";
        frame->length = strtoull(value, &end, 10);
        if (*value < '0' || *value > '9' || *end != '\0')
            return "bad length";
    } else if ((value = value_of(line, "Transfer-Encoding")) != NULL) {
        if (strcmp(value, "chunked") != 0 || frame->chunked)
            return "bad encoding";
        frame->chunked = true;
    } else if ((value = value_of(line, "Connection")) != NULL) {
        reply->closes = strcasecmp(value, "close") == 0;
        frame->keep_alive = strcasecmp(value, "keep-alive") == 0;
    } else if ((value = value_of(line, "Content-Type")) != NULL) {
        reply->json = strcmp(value, "application/json") == 0;
        reply->text = strcmp(value, "text/plain") == 0;
    }
    return NULL;
}

/* Status line and headers; `bytes` ends with the empty line. NULL if they are well-formed. */
static const char *read_head(const char *bytes, size_t length, struct reply *reply,
                             struct frame *frame)
{
    char line[1024];
    const char *wrong = NULL, *at = bytes, *end;
    for (; (end = memmem(at, length - (size_t)(at - bytes), "\r\n", 2)) != at; at = end + 2) {
        size_t line_bytes = (size_t)(end - at);
        if (line_bytes >= sizeof(line) || !is_line_of_text(at, line_bytes))
            return "bad bytes in the head";
        memcpy(line, at, line_bytes);
        line[line_bytes] = '\0';
        wrong =
            at == bytes ? read_status_line(line, reply, frame) : read_header(line, reply, frame);
        if (wrong != NULL)
            return wrong;
    }
    if (frame->chunked && (frame->length != LENGTH_UNKNOWN || frame->http_1_0))
        return "chunks in a reply that has a length, or to HTTP/1.0";
    reply->closes = reply->closes || (frame->http_1_0 && !frame->keep_alive);
    return NULL;
}

/* Puts the chunks together. Returns how many bytes they took, 0 if they are not complete. */
static size_t read_chunks(char *bytes, size_t length, struct reply *reply, const char **wrong)
{
    size_t at = 0, size;
    reply->body = bytes;
    do {
        const char *end = memmem(bytes + at, length - at, "\r\n", 2);
        if (end == NULL)
            return 0;
        char *parsed;
        size = strtoull(bytes + at, &parsed, 16);
        if (parsed != end || parsed == bytes + at) {
            *wrong = "bad chunk size";
            return 0;
        }
        at = (size_t)(end - bytes) + 2;
        if (length - at < 2 || length - at - 2 < size)
            return 0;
        if (memcmp(bytes + at + size, "\r\n", 2) != 0) {
            *wrong = "chunk longer than its size";
            return 0;
        }
        memmove(bytes + reply->body_bytes, bytes + at, size);
        reply->body_bytes += size;
        at += size + 2;
    } while (size > 0);
    return at;
}

size_t reply_read(char *bytes, size_t length, bool to_head, bool ended, struct reply *reply,
                  const char **wrong)
{
    struct frame frame = {.length = LENGTH_UNKNOWN};
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    *reply = (struct reply){0};
    *wrong = NULL;
    if (end == NULL)
        return 0;
    size_t head_bytes = (size_t)(end - bytes) + 4;
    *wrong = read_head(bytes, head_bytes, reply, &frame);
    if (*wrong != NULL)
        return 0;
    reply->body = bytes + head_bytes;
    bool bodiless = reply->status == 204 || reply->status == 304;
    if (bodiless && (frame.chunked || frame.length != LENGTH_UNKNOWN))
        *wrong = "a 204 or 304 with a length";
    if (*wrong != NULL)
        return 0;
    if (to_head || reply->status < 200 || bodiless)
        return head_bytes;
    if (frame.chunked) {
        size_t taken = read_chunks(bytes + head_bytes, length - head_bytes, reply, wrong);
        return taken > 0 ? head_bytes + taken : 0;
    }
    if (frame.length == LENGTH_UNKNOWN && !reply->closes)
        *wrong = "neither a length nor an end";
    if (frame.length == LENGTH_UNKNOWN) {
        reply->body_bytes = length - head_bytes;
        return ended && *wrong == NULL ? length : 0;
    }
    if (length - head_bytes < frame.length)
        return 0;
    reply->body_bytes = frame.length;
    return head_bytes + frame.length;
}
