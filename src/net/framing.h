/*
 * framing: where a request begins and ends, decided on the raw bytes before
 * evhttp sees any of them.
 *
 * evhttp is lenient: it takes "Content-Length: +5", a chunk size of "0x5", a
 * NUL in a header, two lengths, a body on HEAD. Each of these can make two
 * parties disagree on where the next request starts. So whatever is not
 * plainly well-formed is refused here, and evhttp is handed exactly the bytes
 * of one request at a time; what a client sends ahead stays in the inbox.
 *
 * Loop thread. Looks at the inbox, never changes its content.
 */
#ifndef ROCHEFORT_NET_FRAMING_H
#define ROCHEFORT_NET_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;

#define FRAMING_HEAD_BYTES_MAX (16 * 1024) /* request line and headers */
#define FRAMING_HEADERS_MAX 64

/* How large a body may be, by path. */
struct framing_limit {
    const char *path; /* NULL: all others, and the end of the table */
    uint64_t body_bytes_max;
    const char *why; /* one line for a client whose body is larger */
};

struct framing {
    enum {
        FRAMING_HEAD,
        FRAMING_BODY,
        FRAMING_CHUNK_SIZE,
        FRAMING_CHUNK,
        FRAMING_LAST_CHUNK
    } state;
    const struct framing_limit *limits, *limit;
    size_t searched_bytes;    /* of the inbox, for the end of the head */
    size_t checked_bytes;     /* of the inbox, found well-formed and still there */
    uint64_t remaining_bytes; /* of the body or the chunk */
    uint64_t body_bytes;      /* of the whole body, or of all chunks so far */
    bool chunked;
    bool wants_close;   /* the request at hand says so */
    bool owes_continue; /* its client waits for "100 Continue"; whoever sends it clears this */
};

struct framing_verdict {
    size_t ready_bytes; /* so many bytes at the front of the inbox may go to evhttp */
    bool complete;      /* they end the request */
    int refused;        /* 0, or the HTTP status to refuse with */
    const char *why;    /* one line for the client */
};

/* `limits` must stay where it is. */
void framing_init(struct framing *framing, const struct framing_limit *limits);

/*
 * Looks at the bytes that arrived since; the caller removes `ready_bytes` before it calls again.
 * Bytes are released when they end a request or a chunk, never before: what arrives slowly is then
 * packed densely in the inbox. After a refusal the connection is of no more use.
 */
struct framing_verdict framing_scan(struct framing *framing, struct evbuffer *inbox);

/*
 * How long the body of the request at hand may still become; that of the last one once it is
 * complete. Not before its head is.
 */
uint64_t framing_body_bytes(const struct framing *framing);

/* True if a request has begun and is not complete. */
bool framing_midway(const struct framing *framing, const struct evbuffer *inbox);

/* How many bytes are still needed before anything can be released; 0 if that is not known. */
uint64_t framing_missing(const struct framing *framing, const struct evbuffer *inbox);

#endif
