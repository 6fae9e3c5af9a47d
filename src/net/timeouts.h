/*
 * timeouts: how long a client may take, and how slowly it may go.
 *
 * A pure function from what is known of a connection to what must happen now.
 * The caller decides when to check (connections.h).
 *
 *   none       the request is being served, or waits for memory: no limit runs
 *   idle       between two requests: closed after idle_s
 *   head       from the first byte of a request to the end of its head: 408 after head_s
 *   body       has to arrive at the minimum rate: 408
 *   reply      has to be taken at the minimum rate: reset
 *   linger     the last reply is written. It has to be taken at the minimum rate: reset. When all
 *              of it is acknowledged the connection is closed: after TIMEOUTS_LINGER_MS if the
 *              client sends nothing more, otherwise after TIMEOUTS_LINGER_MS_MAX. One that sends
 *              TIMEOUTS_LINGER_BYTES_MAX is waited for no longer
 *
 * While requests wait for memory the rate that is demanded of a body grows with the memory that is
 * reserved for it and with how long that has been so.
 *
 * A rate is measured over intervals of interval_s. Of a reply those bytes count that the client's
 * machine has acknowledged: what waits in the kernel is not taken.
 *
 * Any thread. No errors.
 */
#ifndef ROCHEFORT_NET_TIMEOUTS_H
#define ROCHEFORT_NET_TIMEOUTS_H

#include <stdbool.h>
#include <stdint.h>

#define TIMEOUTS_LINGER_MS 2000
#define TIMEOUTS_LINGER_MS_MAX 30000
#define TIMEOUTS_LINGER_BYTES_MAX (256ULL * 1024 * 1024)
/* A body that others wait for must arrive at reserved_bytes * reserved_ms / this^2 a millisecond.
 */
#define TIMEOUTS_RESERVED_MS 30000
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
    uint64_t moved_bytes;    /* in this interval: received (but not in linger), acknowledged */
    uint64_t unsent_bytes;   /* written to the socket and not acknowledged */
    uint64_t arrived_bytes;  /* since the phase began */
    bool arriving;           /* some of them since the last check */
    uint64_t reserved_bytes; /* of the memory budget, for the request at hand */
    uint64_t reserved_ms;    /* for how long */
    bool memory_wanted;      /* requests wait for memory */
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
