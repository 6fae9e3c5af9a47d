/*
 * timeouts: how long a client may take, and how slowly it may go.
 *
 * A pure function from what is known of a connection to what must happen now.
 * Who looks, and when, is the caller's affair (connections.h).
 *
 *   none       the request is being served, or waits for memory: no limit runs
 *   idle       between two requests: closed after idle_s
 *   head       from the first byte of a request to the end of its head: 408 after head_s
 *   body       has to arrive at the minimum rate: 408
 *   reply      has to be taken at the minimum rate: reset
 *   linger     the last reply is written. At least TIMEOUTS_LINGER_MS, then until the client has
 *              acknowledged all of it, which it must do at the minimum rate: reset
 *
 * A rate is measured over intervals of interval_s. Of a reply those bytes count that the client's
 * machine has acknowledged: what waits in the kernel is not taken.
 *
 * Any thread. No errors.
 */
#ifndef ROCHEFORT_NET_TIMEOUTS_H
#define ROCHEFORT_NET_TIMEOUTS_H

#include <stdint.h>

#define TIMEOUTS_LINGER_MS 2000
#define TIMEOUTS_NEVER UINT64_MAX

enum timeouts_phase {
    TIMEOUTS_NONE,
    TIMEOUTS_IDLE,
    TIMEOUTS_HEAD,
    TIMEOUTS_BODY,
    TIMEOUTS_REPLY,
    TIMEOUTS_LINGER,
    TIMEOUTS_PHASES
};

/* 0 stands for no limit. */
struct timeouts {
    unsigned idle_s, head_s;
    unsigned interval_s; /* at least 1 */
    uint64_t bytes_per_s_min;
};

struct timeouts_input {
    enum timeouts_phase phase;
    uint64_t phase_ms;       /* since the phase began */
    uint64_t interval_ms;    /* since the measuring interval began */
    uint64_t moved_bytes;    /* in this interval: received, and sent and acknowledged */
    uint64_t unsent_bytes;   /* written to the socket and not acknowledged */
    uint64_t reserved_bytes; /* of the memory budget, for the request at hand */
    uint64_t reserved_ms;    /* for how long */
};

enum timeouts_action {
    TIMEOUTS_WAIT,          /* nothing yet */
    TIMEOUTS_NEXT_INTERVAL, /* fast enough; a new interval begins now */
    TIMEOUTS_CLOSE,         /* in good order */
    TIMEOUTS_REFUSE,        /* 408 */
    TIMEOUTS_RESET
};

struct timeouts_verdict {
    enum timeouts_action action;
    const char *why; /* one line for the client, if refused */
};

struct timeouts_verdict timeouts_check(const struct timeouts *limits,
                                       const struct timeouts_input *input);

/* How long after the beginning of a phase, or after the last check in it, to check; or
 * TIMEOUTS_NEVER. Phases with a rate are checked about once a second. */
uint64_t timeouts_check_after_ms(const struct timeouts *limits, enum timeouts_phase phase);

#endif
