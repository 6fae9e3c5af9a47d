/*
 * patience: how long a client may take.
 *
 * Once a second every connection is looked at: what it is about, since when,
 * and how many bytes have moved since. Nothing is noted down in between, so a
 * request costs nothing and a limit is kept to a second.
 *
 *   idle       between two requests          closed after idle_seconds
 *   head       from its first byte on        408 after head_seconds
 *   body       has to keep a minimum rate    408
 *   reply      has to be taken at that rate  reset, also the last one, and what of it waits in the
 *                                            kernel when we have nothing more to write
 *   with us    waits for a worker, or for memory: no limit runs
 *
 * A rate is judged over a window, and by what the client's machine has
 * acknowledged: what waits in the kernel is not taken.
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_NET_TIMEOUTS_H
#define ROCHEFORT_NET_TIMEOUTS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct connection;

/* 0 stands for no limit. */
struct patience {
    unsigned idle_seconds, head_seconds;
    unsigned window_seconds; /* at least 1 */
    uint64_t bytes_a_second_min;
};

/* What was seen of a connection, for patience.c. */
struct patience_seen {
    enum {
        PATIENCE_IDLE,
        PATIENCE_HEAD,
        PATIENCE_BODY,
        PATIENCE_REPLY,
        PATIENCE_LINGER,
        PATIENCE_WITH_US
    } phase;
    unsigned requests;
    time_t since_s;
    uint64_t moved_bytes;
};

/* The connection is new. */
void patience_begin(struct connection *connection, time_t now_s);

/* Once a second. May end the connection. `now_s` is CLOCK_MONOTONIC's. */
void patience_look(const struct patience *patience, struct connection *connection, time_t now_s);

#endif
