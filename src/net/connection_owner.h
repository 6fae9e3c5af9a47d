/*
 * connection_owner: what a connection reports to its owner.
 *
 * The functions are the owner's and called on the loop thread.
 */
#ifndef ROCHEFORT_NET_CONNECTION_OWNER_H
#define ROCHEFORT_NET_CONNECTION_OWNER_H

#include <stdbool.h>
#include <stdint.h>

/* `context` is that of connection_new. */
struct connection_owner {
    /* evhttp's input has a whole request: call connection_feed_evhttp. The handler of the
     * request calls connection_serve. */
    void (*request_ready)(void *context);
    /* The request will not be read: answer with connection_refuse. */
    void (*request_refused)(void *context, int status, const char *why);
    /* The client leaves, or nobody waits for it, after the head of a request and before it was
     * served: it has no response. */
    void (*request_lost)(void *context);
    /* May a body of so many bytes be in memory? If its length is not known it is asked again for
     * more, up to `body_bytes_max`. False: not now, connection_memory_granted says when. */
    bool (*memory_wanted)(void *context, uint64_t body_bytes, uint64_t body_bytes_max);
    /* It is over, or will never be: no memory is held or waited for any more. */
    void (*memory_released)(void *context);
    /* There is more to do than fits into one loop iteration: call connection_run in the next. */
    void (*unfinished)(void *context);
    /* Nothing can be done until something happens; the phase may be another one. */
    void (*settled)(void *context);
    /* The socket is closed. Free the connection later, not in this call. */
    void (*closed)(void *context);
};

#endif
