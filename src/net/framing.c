#include "net/framing.h"

#include <event2/buffer.h>
#include <string.h>

#include "base/decimal.h"
#include "base/hex.h"
#include "net/head.h"

#define CHUNK_SIZE_DIGITS_MAX 16
#define CHUNK_SIZE_LINE_BYTES_MAX (CHUNK_SIZE_DIGITS_MAX + 2)
#define OUT_OF_MEMORY "out of memory"
#define LENGTH_NAME "Content-Length: "

void framing_init(struct framing *framing, const struct framing_rules *rules)
{
    *framing = (struct framing){.state = FRAMING_HEAD, .rules = rules};
}

void framing_free(struct framing *framing)
{
    if (framing->chunks != NULL)
        evbuffer_free(framing->chunks);
    framing->chunks = NULL;
}

/* False, as every step answers that cannot go on. */
static bool refuse_request(struct framing_verdict *verdict, int status, const char *why)
{
    verdict->refused = status;
    verdict->why = why;
    return false;
}

static bool has_path(const struct framing_limit *limit, struct head_span path)
{
    return strlen(limit->path) == path.bytes && memcmp(limit->path, path.at, path.bytes) == 0;
}

static const struct framing_limit *find_limit(const struct framing_limit *limit,
                                              struct head_span path)
{
    while (limit->path != NULL && !has_path(limit, path))
        limit++;
    return limit;
}

/* Ends the head of a request with `body_bytes` bytes of body. False: no memory. */
static bool end_head(struct evbuffer *output, uint64_t body_bytes)
{
    char end[sizeof(LENGTH_NAME) + DECIMAL_BYTES_MAX + 4];
    size_t bytes = 0;
    if (body_bytes > 0) {
        memcpy(end, LENGTH_NAME, strlen(LENGTH_NAME));
        bytes = strlen(LENGTH_NAME);
        bytes += decimal_write(body_bytes, end + bytes);
        memcpy(end + bytes, "\r\n", 2);
        bytes += 2;
    }
    memcpy(end + bytes, "\r\n", 2);
    return evbuffer_add(output, end, bytes + 2) == 0;
}

/* The request is whole; the next one begins. */
static bool end_request(struct framing *framing, struct framing_verdict *verdict)
{
    framing->state = FRAMING_HEAD;
    framing->skipped_line = false;
    verdict->complete = true;
    return true;
}

/* Moves `bytes` bytes from the inbox, by pointer but for the last of them. False: no memory. */
static bool move(struct evbuffer *inbox, struct evbuffer *output, size_t bytes)
{
    size_t before = evbuffer_get_length(output);
    (void)evbuffer_remove_buffer(inbox, output, bytes); /* its result is too narrow for 4 GiB */
    return evbuffer_get_length(output) - before == bytes;
}

enum search { FOUND, INCOMPLETE, BAD_LINE };

/* Looks for the empty line that ends the head; `*head_bytes` includes it. Bare line feeds are bad.
 */
static enum search find_head(struct framing *framing, const char *bytes, size_t length,
                             size_t *head_bytes)
{
    const char *from = bytes + framing->searched_bytes, *end = bytes + length, *feed;
    while ((feed = memchr(from, '\n', (size_t)(end - from))) != NULL) {
        if (feed == bytes || feed[-1] != '\r')
            return BAD_LINE;
        if (feed - bytes >= 3 && feed[-2] == '\n') {
            framing->searched_bytes = 0;
            *head_bytes = (size_t)(feed - bytes) + 1;
            return FOUND;
        }
        from = feed + 1;
    }
    framing->searched_bytes = length;
    return INCOMPLETE;
}

/* One empty line before a request is skipped (RFC 9112, 2.2). True if there was one. */
static bool skip_empty_line(struct framing *framing, struct evbuffer *inbox)
{
    char line[2];
    if (framing->skipped_line || framing->searched_bytes > 0 ||
        evbuffer_copyout(inbox, line, sizeof(line)) != sizeof(line) ||
        memcmp(line, "\r\n", sizeof(line)) != 0)
        return false;
    framing->skipped_line = true;
    return evbuffer_drain(inbox, sizeof(line)) == 0;
}

/* The head at the front of the inbox is well-formed. */
static bool take_head(struct framing *framing, const struct head *head, size_t head_bytes,
                      struct evbuffer *inbox, struct evbuffer *output,
                      struct framing_verdict *verdict)
{
    char written[HEAD_WRITTEN_BYTES_MAX];
    const struct framing_rules *rules = framing->rules;
    bool has_body = head->chunked || head->content_length > 0;
    framing->limit = find_limit(rules->limits, head->path);
    framing->judgement = (struct framing_judgement){0};
    if (rules->judge != NULL)
        framing->judgement = rules->judge(rules->context, head);
    bool unread = has_body && framing->judgement.refused != 0, chunked = head->chunked && !unread;
    uint64_t length = unread ? 0 : head->content_length;
    if (length > framing->limit->body_bytes_max)
        return refuse_request(verdict, 413, framing->limit->why);
    framing->http_1_0 = head->http_1_0;
    framing->is_head = head_method_is(head, "HEAD");
    framing->wants_close = unread || head->says_close || (head->http_1_0 && !head->says_keep_alive);
    framing->chunked = chunked;
    framing->body_allowed = head->body_allowed;
    framing->body_bytes = framing->remaining_bytes = length;
    /* a client that did not wait is not told to go on */
    framing->owes_continue =
        head->expects_continue && has_body && !unread && evbuffer_get_length(inbox) == head_bytes;
    size_t written_bytes = head_write(head, written); /* the head's spans end here */
    if (evbuffer_drain(inbox, head_bytes) != 0 ||
        evbuffer_add(output, written, written_bytes) != 0 ||
        (!chunked && !end_head(output, length)))
        return refuse_request(verdict, 503, OUT_OF_MEMORY);
    if (chunked)
        framing->state = FRAMING_CHUNK_SIZE;
    else if (length > 0)
        framing->state = FRAMING_BODY;
    else
        return end_request(framing, verdict);
    return true;
}

static bool step_head(struct framing *framing, struct evbuffer *inbox, struct evbuffer *output,
                      struct framing_verdict *verdict)
{
    framing->is_head = false;
    if (skip_empty_line(framing, inbox))
        return true;
    size_t length = evbuffer_get_length(inbox);
    if (length > HEAD_BYTES_MAX)
        length = HEAD_BYTES_MAX;
    if (length == 0)
        return false;
    const char *bytes = (const char *)evbuffer_pullup(inbox, (ev_ssize_t)length);
    if (bytes == NULL)
        return refuse_request(verdict, 503, OUT_OF_MEMORY);
    if (bytes[0] == '\r') {
        if (length == 1 && !framing->skipped_line)
            return false; /* it may be the beginning of the empty line */
        return refuse_request(verdict, 400, "bad request line");
    }
    size_t head_bytes = 0;
    enum search search = find_head(framing, bytes, length, &head_bytes);
    if (search == BAD_LINE)
        return refuse_request(verdict, 400, "a line does not end in CR LF");
    if (search == INCOMPLETE && length == HEAD_BYTES_MAX)
        return refuse_request(verdict, 400, "request line and headers are over 16384 bytes");
    if (search == INCOMPLETE)
        return false;
    struct head head;
    if (!head_parse(bytes, head_bytes, framing->rules->forwarded, &head))
        return refuse_request(verdict, head.refused, head.why);
    return take_head(framing, &head, head_bytes, inbox, output, verdict);
}

static bool step_body(struct framing *framing, struct evbuffer *inbox, struct evbuffer *output,
                      struct framing_verdict *verdict)
{
    if (evbuffer_get_length(inbox) < framing->remaining_bytes)
        return false;
    if (!move(inbox, output, (size_t)framing->remaining_bytes))
        return refuse_request(verdict, 503, OUT_OF_MEMORY);
    return end_request(framing, verdict);
}

static bool step_chunk_size(struct framing *framing, struct evbuffer *inbox,
                            struct framing_verdict *verdict)
{
    char line[CHUNK_SIZE_LINE_BYTES_MAX];
    ev_ssize_t copied = evbuffer_copyout(inbox, line, sizeof(line));
    size_t length = copied > 0 ? (size_t)copied : 0, digits = 0;
    uint64_t size = 0;
    for (; digits < length && hex_digit_value(line[digits]) >= 0; digits++) {
        if (digits == CHUNK_SIZE_DIGITS_MAX)
            return refuse_request(verdict, 400, "chunk size too long");
        size = size * 16 + (uint64_t)hex_digit_value(line[digits]);
    }
    if (digits < length && (digits == 0 || line[digits] != '\r'))
        return refuse_request(verdict, 400, "bad chunk size");
    if (digits + 1 < length && line[digits + 1] != '\n')
        return refuse_request(verdict, 400, "bad chunk size");
    if (digits + 2 > length)
        return false;
    if (size > framing->limit->body_bytes_max - framing->body_bytes)
        return refuse_request(verdict, 413, framing->limit->why);
    if (size > 0 && !framing->body_allowed)
        return refuse_request(verdict, 400, HEAD_NO_BODY);
    if (evbuffer_drain(inbox, digits + 2) != 0)
        return refuse_request(verdict, 503, OUT_OF_MEMORY);
    framing->body_bytes += size;
    framing->remaining_bytes = size;
    framing->trailer_bytes = 0;
    framing->state = size == 0 ? FRAMING_TRAILERS : FRAMING_CHUNK;
    return true;
}

static bool step_chunk(struct framing *framing, struct evbuffer *inbox,
                       struct framing_verdict *verdict)
{
    size_t size = (size_t)framing->remaining_bytes, length = evbuffer_get_length(inbox);
    struct evbuffer_ptr at;
    char end[2] = {'\r', '\n'};
    if (length <= size)
        return false;
    if (evbuffer_ptr_set(inbox, &at, size, EVBUFFER_PTR_SET) != 0 ||
        evbuffer_copyout_from(inbox, &at, end, sizeof(end)) < 1)
        return refuse_request(verdict, 503, OUT_OF_MEMORY);
    if (end[0] != '\r' || end[1] != '\n')
        return refuse_request(verdict, 400, "chunk longer than its size");
    if (length < size + sizeof(end))
        return false;
    if (framing->chunks == NULL)
        framing->chunks = evbuffer_new();
    if (framing->chunks == NULL || !move(inbox, framing->chunks, size) ||
        evbuffer_drain(inbox, sizeof(end)) != 0)
        return refuse_request(verdict, 503, OUT_OF_MEMORY);
    framing->state = FRAMING_CHUNK_SIZE;
    return true;
}

/* After the last chunk: header lines, which are dropped, and an empty line. */
static bool step_trailers(struct framing *framing, struct evbuffer *inbox, struct evbuffer *output,
                          struct framing_verdict *verdict)
{
    size_t length = evbuffer_get_length(inbox), left = HEAD_BYTES_MAX - framing->trailer_bytes;
    if (length > left)
        length = left;
    const char *bytes = (const char *)evbuffer_pullup(inbox, (ev_ssize_t)length);
    if (length > 0 && bytes == NULL)
        return refuse_request(verdict, 503, OUT_OF_MEMORY);
    const char *feed = length > 0 ? memchr(bytes, '\n', length) : NULL;
    if (feed == NULL && length > 1 && bytes[0] == '\r')
        return refuse_request(verdict, 400, "bad trailer");
    if (feed == NULL && length == left)
        return refuse_request(verdict, 400, "the trailers are over 16384 bytes");
    if (feed == NULL)
        return false;
    size_t line_bytes = (size_t)(feed - bytes) + 1;
    if (line_bytes < 2 || feed[-1] != '\r' ||
        (line_bytes > 2 && !head_trailer_valid(bytes, line_bytes - 2)))
        return refuse_request(verdict, 400, "bad trailer");
    framing->trailer_bytes += line_bytes;
    if (evbuffer_drain(inbox, line_bytes) != 0)
        return refuse_request(verdict, 503, OUT_OF_MEMORY);
    if (line_bytes > 2)
        return true;
    if (!end_head(output, framing->body_bytes) ||
        (framing->chunks != NULL && evbuffer_add_buffer(output, framing->chunks) != 0))
        return refuse_request(verdict, 503, OUT_OF_MEMORY);
    return end_request(framing, verdict);
}

/* True if it got on. */
static bool step(struct framing *framing, struct evbuffer *inbox, struct evbuffer *output,
                 struct framing_verdict *verdict)
{
    switch (framing->state) {
    case FRAMING_HEAD:
        return step_head(framing, inbox, output, verdict);
    case FRAMING_BODY:
        return step_body(framing, inbox, output, verdict);
    case FRAMING_CHUNK_SIZE:
        return step_chunk_size(framing, inbox, verdict);
    case FRAMING_CHUNK:
        return step_chunk(framing, inbox, verdict);
    case FRAMING_TRAILERS:
        break;
    }
    return step_trailers(framing, inbox, output, verdict);
}

struct framing_verdict framing_scan(struct framing *framing, struct evbuffer *inbox,
                                    struct evbuffer *output)
{
    struct framing_verdict verdict = {0};
    while (!verdict.complete && step(framing, inbox, output, &verdict))
        ;
    return verdict;
}

uint64_t framing_body_bytes(const struct framing *framing)
{
    return framing->body_bytes;
}

uint64_t framing_arrived_bytes(const struct framing *framing, const struct evbuffer *inbox)
{
    uint64_t there = evbuffer_get_length(inbox), bytes = 0;
    if (framing->state == FRAMING_BODY || framing->state == FRAMING_CHUNK)
        bytes = there < framing->remaining_bytes ? there : framing->remaining_bytes;
    if (framing->chunks != NULL)
        bytes += evbuffer_get_length(framing->chunks);
    return bytes;
}

bool framing_midway(const struct framing *framing, const struct evbuffer *inbox)
{
    return framing->state != FRAMING_HEAD || evbuffer_get_length(inbox) > 0;
}

uint64_t framing_missing(const struct framing *framing, const struct evbuffer *inbox)
{
    uint64_t there = evbuffer_get_length(inbox), needed = 0;
    if (framing->state == FRAMING_BODY)
        needed = framing->remaining_bytes;
    else if (framing->state == FRAMING_CHUNK)
        needed = framing->remaining_bytes + 2;
    return needed > there ? needed - there : 0;
}
