#include "net/framing.h"

#include <event2/buffer.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "net/head.h"

#define CHUNK_SIZE_DIGITS_MAX 16
#define CHUNK_SIZE_LINE_BYTES_MAX (CHUNK_SIZE_DIGITS_MAX + 2)

void framing_init(struct framing *framing, const struct framing_limit *limits)
{
    *framing = (struct framing){.state = FRAMING_HEAD, .limits = limits};
}

/* False, as what every step answers that cannot go on. */
static bool refuse(struct framing_verdict *verdict, int status, const char *why)
{
    verdict->refused = status;
    verdict->why = why;
    return false;
}

static const struct framing_limit *limit_of(const struct framing_limit *limit, const char *path,
                                            size_t path_bytes)
{
    while (limit->path != NULL &&
           (strlen(limit->path) != path_bytes || memcmp(limit->path, path, path_bytes) != 0))
        limit++;
    return limit;
}

/* All that was checked may go to evhttp. */
static bool release(const struct framing *framing, struct framing_verdict *verdict, bool complete)
{
    verdict->ready_bytes = framing->checked_bytes;
    verdict->complete = complete;
    return true;
}

enum head_search { HEAD_FOUND, HEAD_INCOMPLETE, HEAD_BAD };

/* Looks for the empty line that ends the head; `*head_bytes` includes it. Bare line feeds are bad.
 */
static enum head_search find_head(struct framing *framing, const char *bytes, size_t length,
                                  size_t *head_bytes)
{
    const char *from = bytes + framing->searched_bytes, *end = bytes + length, *feed;
    while ((feed = memchr(from, '\n', (size_t)(end - from))) != NULL) {
        if (feed == bytes || feed[-1] != '\r')
            return HEAD_BAD;
        if (feed - bytes >= 3 && feed[-2] == '\n') {
            framing->searched_bytes = 0;
            *head_bytes = (size_t)(feed - bytes) + 1;
            return HEAD_FOUND;
        }
        from = feed + 1;
    }
    framing->searched_bytes = length;
    return HEAD_INCOMPLETE;
}

static bool step_head(struct framing *framing, struct evbuffer *inbox,
                      struct framing_verdict *verdict)
{
    size_t length = evbuffer_get_length(inbox);
    if (length > FRAMING_HEAD_BYTES_MAX)
        length = FRAMING_HEAD_BYTES_MAX;
    if (length == 0)
        return false;
    const char *bytes = (const char *)evbuffer_pullup(inbox, (ev_ssize_t)length);
    if (bytes == NULL)
        return refuse(verdict, 503, "out of memory");
    size_t head_bytes = 0;
    enum head_search search = find_head(framing, bytes, length, &head_bytes);
    if (search == HEAD_BAD)
        return refuse(verdict, 400, "a line does not end in CR LF");
    if (search == HEAD_INCOMPLETE && length == FRAMING_HEAD_BYTES_MAX)
        return refuse(verdict, 400, "request line and headers are over 16384 bytes");
    if (search == HEAD_INCOMPLETE)
        return false;
    struct head head;
    if (!head_parse(bytes, head_bytes, FRAMING_HEADERS_MAX, &head))
        return refuse(verdict, head.refused, head.why);
    framing->limit = limit_of(framing->limits, head.path, head.path_bytes);
    if (head.content_length > framing->limit->body_bytes_max)
        return refuse(verdict, 413, framing->limit->why);
    framing->checked_bytes = head_bytes;
    framing->wants_close = head.wants_close;
    framing->chunked = head.chunked;
    framing->body_bytes = head.content_length;
    framing->remaining_bytes = head.content_length;
    if (head.chunked)
        framing->state = FRAMING_CHUNK_SIZE;
    else if (head.content_length > 0)
        framing->state = FRAMING_BODY;
    else
        return release(framing, verdict, true);
    /* a client that did not wait is not told to go on */
    framing->owes_continue = head.expects_continue && evbuffer_get_length(inbox) == head_bytes;
    return true;
}

/* Copies up to `bytes` bytes from position `from` of the inbox. */
static size_t peek(struct evbuffer *inbox, size_t from, char *out, size_t bytes)
{
    struct evbuffer_ptr at;
    if (from >= evbuffer_get_length(inbox) ||
        evbuffer_ptr_set(inbox, &at, from, EVBUFFER_PTR_SET) != 0)
        return 0;
    ev_ssize_t copied = evbuffer_copyout_from(inbox, &at, out, bytes);
    return copied > 0 ? (size_t)copied : 0;
}

static bool step_chunk_size(struct framing *framing, struct evbuffer *inbox,
                            struct framing_verdict *verdict)
{
    char line[CHUNK_SIZE_LINE_BYTES_MAX];
    size_t length = peek(inbox, framing->checked_bytes, line, sizeof(line)), digits = 0;
    uint64_t size = 0;
    for (; digits < length && hex_digit_value(line[digits]) >= 0; digits++) {
        if (digits == CHUNK_SIZE_DIGITS_MAX)
            return refuse(verdict, 400, "chunk size too long");
        size = size * 16 + (uint64_t)hex_digit_value(line[digits]);
    }
    if (digits < length && (digits == 0 || line[digits] != '\r'))
        return refuse(verdict, 400, "bad chunk size");
    if (digits + 1 < length && line[digits + 1] != '\n')
        return refuse(verdict, 400, "bad chunk size");
    if (digits + 2 > length)
        return false;
    if (size > framing->limit->body_bytes_max - framing->body_bytes)
        return refuse(verdict, 413, framing->limit->why);
    framing->checked_bytes += digits + 2;
    framing->body_bytes += size;
    framing->remaining_bytes = size;
    framing->state = size == 0 ? FRAMING_LAST_CHUNK : FRAMING_CHUNK;
    return true;
}

/* A chunk's data and the CR LF after it, or the CR LF that ends the body. */
static bool step_chunk(struct framing *framing, struct evbuffer *inbox,
                       struct framing_verdict *verdict)
{
    bool last = framing->state == FRAMING_LAST_CHUNK;
    if (evbuffer_get_length(inbox) - framing->checked_bytes < framing->remaining_bytes)
        return false;
    char end[2];
    size_t end_at = framing->checked_bytes + (size_t)framing->remaining_bytes;
    size_t length = peek(inbox, end_at, end, sizeof(end));
    if ((length > 0 && end[0] != '\r') || (length > 1 && end[1] != '\n'))
        return refuse(verdict, 400, last ? "trailers are not taken" : "chunk longer than its size");
    if (length < sizeof(end))
        return false;
    framing->checked_bytes = end_at + sizeof(end);
    framing->state = last ? FRAMING_HEAD : FRAMING_CHUNK_SIZE;
    return release(framing, verdict, last);
}

static bool step_body(struct framing *framing, struct evbuffer *inbox,
                      struct framing_verdict *verdict)
{
    if (evbuffer_get_length(inbox) - framing->checked_bytes < framing->remaining_bytes)
        return false;
    framing->checked_bytes += (size_t)framing->remaining_bytes;
    framing->state = FRAMING_HEAD;
    return release(framing, verdict, true);
}

/* True if it got on. */
static bool step(struct framing *framing, struct evbuffer *inbox, struct framing_verdict *verdict)
{
    switch (framing->state) {
    case FRAMING_HEAD:
        return step_head(framing, inbox, verdict);
    case FRAMING_BODY:
        return step_body(framing, inbox, verdict);
    case FRAMING_CHUNK_SIZE:
        return step_chunk_size(framing, inbox, verdict);
    case FRAMING_CHUNK:
    case FRAMING_LAST_CHUNK:
        break;
    }
    return step_chunk(framing, inbox, verdict);
}

struct framing_verdict framing_scan(struct framing *framing, struct evbuffer *inbox)
{
    struct framing_verdict verdict = {0};
    while (!verdict.complete && step(framing, inbox, &verdict))
        ;
    framing->checked_bytes -= verdict.ready_bytes;
    return verdict;
}

uint64_t framing_body_bytes(const struct framing *framing)
{
    if (framing->chunked && framing->state != FRAMING_HEAD)
        return framing->limit->body_bytes_max;
    return framing->body_bytes;
}

bool framing_midway(const struct framing *framing, const struct evbuffer *inbox)
{
    return framing->state != FRAMING_HEAD || evbuffer_get_length(inbox) > 0;
}

uint64_t framing_missing(const struct framing *framing, const struct evbuffer *inbox)
{
    uint64_t there = evbuffer_get_length(inbox) - framing->checked_bytes, needed = 0;
    if (framing->state == FRAMING_BODY)
        needed = framing->remaining_bytes;
    else if (framing->state == FRAMING_CHUNK)
        needed = framing->remaining_bytes + 2;
    return needed > there ? needed - there : 0;
}
