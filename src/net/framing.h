/*
 * framing: where a request begins and ends, decided on the raw bytes before
 * evhttp sees any of them.
 *
 * evhttp is lenient: it takes "Content-Length: +5", a chunk size of "0x5", a
 * NUL in a header, two lengths, a body on HEAD. Each of these can make two
 * parties disagree on where the next request starts. So what is not plainly
 * well-formed is refused here, and evhttp is handed one whole request at a time
 * in one plain form (head.h): chunks are joined, trailers dropped, the target
 * is a path, and the body, if there is one, has a Content-Length. What a client
 * sends ahead stays in the inbox.
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_NET_FRAMING_H
#define ROCHEFORT_NET_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct head;

/* How large a body may be, by path. */
struct framing_limit {
    const char *path; /* NULL: all others, and the end of the table */
    uint64_t body_bytes_max;
    const char *why; /* one line for a client whose body is larger */
    /* How much memory a request with so long a body takes, beside what every reply does, if that is
     * more than the body; NULL: it is not. It rises with the body. */
    uint64_t (*memory_bytes)(uint64_t body_bytes);
};

/* What becomes of a request, by its head alone. */
struct framing_judgement {
    int refused;     /* 0: it is served; otherwise the status that its handler must answer with */
    const char *why; /* one line for the client; a constant */
};

/* Constant, and outlives the framing. */
struct framing_rules {
    const struct framing_limit *limits;
    const char *const *forwarded; /* names of header lines that evhttp is to see; ends with NULL */
    /*
     * Asked once for each well-formed head, before anything of the body is read; NULL: all requests
     * are served. One that is not goes on to evhttp without its body, which is not read; if there
     * is one the connection is to be closed after the reply.
     */
    struct framing_judgement (*judge)(void *context, const struct head *head);
    void *context;
};

struct framing {
    enum { FRAMING_HEAD, FRAMING_BODY, FRAMING_CHUNK_SIZE, FRAMING_CHUNK, FRAMING_TRAILERS } state;
    const struct framing_rules *rules;
    const struct framing_limit *limit;  /* of the request at hand */
    size_t searched_bytes;              /* of the inbox, for the end of a line */
    size_t trailer_bytes;               /* so far */
    uint64_t remaining_bytes;           /* of the body or the chunk */
    uint64_t body_bytes;                /* of the whole body, or of all chunks so far */
    struct evbuffer *chunks;            /* joined; NULL until there are some */
    struct framing_judgement judgement; /* of the request at hand */
    bool chunked, body_allowed;
    bool skipped_line;  /* an empty line before the request was skipped */
    bool http_1_0;      /* so is the request at hand */
    bool is_head;       /* its method is HEAD, once its head is well-formed */
    bool wants_close;   /* the connection is to be closed after it */
    bool owes_continue; /* its client waits for "100 Continue"; the sender clears this */
};

struct framing_verdict {
    bool complete;   /* a whole request is in the output */
    int refused;     /* 0, or the HTTP status to refuse with */
    const char *why; /* one line for the client */
};

void framing_init(struct framing *framing, const struct framing_rules *rules);
void framing_free(struct framing *framing);

/*
 * Takes from the inbox what makes up the request at hand, and puts it into `output` as evhttp is to
 * see it; until a request is complete there may be a part of it. After a refusal the connection is
 * of no more use.
 */
struct framing_verdict framing_scan(struct framing *framing, struct evbuffer *inbox,
                                    struct evbuffer *output);

/*
 * How many bytes the body of the request at hand has, if its length is known; otherwise so far,
 * with the chunk at hand. Those of the last one once it is complete. Not before its head is there.
 */
uint64_t framing_body_bytes(const struct framing *framing);

/* How many bytes of the body of the request at hand have come, if it is not complete. */
uint64_t framing_arrived_bytes(const struct framing *framing, const struct evbuffer *inbox);

/* True if a request has begun and is not complete. */
bool framing_midway(const struct framing *framing, const struct evbuffer *inbox);

/* How many bytes are still needed before there is something to take; 0 if that is not known. */
uint64_t framing_missing(const struct framing *framing, const struct evbuffer *inbox);

#endif
