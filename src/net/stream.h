/*
 * stream: one connected, non-blocking socket, read and written when we choose.
 *
 * Owns the descriptor. It is registered with the event base once, edge-triggered
 * for both directions, and never again; so the stream remembers what an edge
 * has said until a read has found the socket empty.
 *
 * Loop thread. Functions that move bytes answer an enum stream_result.
 */
#ifndef ROCHEFORT_NET_STREAM_H
#define ROCHEFORT_NET_STREAM_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct event_base;

/* Zeroed but for `fd`, which is -1, it is closed. The fields are for stream.c. */
struct stream {
    int fd;
    struct event event;
    void (*changed)(void *context);
    void *context;
    bool readable; /* the kernel may have bytes that were not taken */
    bool drained;  /* the last read emptied the socket; no edge since */
    bool hung_up;  /* the peer has ended its side; only a read of 0 tells when all is read */
    uint64_t received_bytes, written_bytes;
};

enum stream_result {
    STREAM_DONE,    /* something was read; or all was written */
    STREAM_BLOCKED, /* nothing can be read, or not all be written, before the next edge */
    STREAM_ENDED,   /* all is read, and the peer has ended its side */
    STREAM_FAILED,  /* reset, or out of memory */
    STREAM_MORE     /* stream_discard: there may be more already */
};

/* Takes the socket over; `changed` is called after each edge. False when out of memory: `fd` then
 * is taken over all the same. */
bool stream_open(struct stream *stream, struct event_base *base, int fd,
                 void (*changed)(void *context), void *context);
void stream_close(struct stream *stream);

/* One read to the end of `into`, of about `wanted` bytes. */
enum stream_result stream_receive(struct stream *stream, struct evbuffer *into, uint64_t wanted);

/*
 * What was read is a whole request, and the reply to it will show whether the peer is still there:
 * so if the last read emptied the socket there is no need to look again before the next edge.
 */
void stream_request_received(struct stream *stream);

/* Writes all of `from`. */
enum stream_result stream_write(struct stream *stream, struct evbuffer *from);

/* True if all `length` bytes are in the kernel's buffer; if not, part of them may be. */
bool stream_send_whole(struct stream *stream, const void *bytes, size_t length);

/* Sends them. True if a part of them, and not all, is in the kernel's buffer. */
bool stream_send_part(struct stream *stream, const void *bytes, size_t length);

/* Throws away what has come, in a bounded number of reads. */
enum stream_result stream_discard(struct stream *stream);

/* Ends our side. */
void stream_end_writing(struct stream *stream);

/* Resets a TCP connection at once. A plain close could look like the end of the reply to a client
 * of HTTP/1.0. */
void stream_reset(struct stream *stream);

/* Written and not acknowledged by the peer's machine; 0 if unknown. */
uint64_t stream_unsent_bytes(const struct stream *stream);

/* The peer has ended its side; what it sent before that may not be read yet. */
static inline bool stream_has_hung_up(const struct stream *stream)
{
    return stream->hung_up;
}

/* Reset, or closed in both directions; not if the peer has only ended its side. */
bool stream_is_gone(const struct stream *stream);

#endif
