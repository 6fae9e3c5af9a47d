/*
 * reservations: the memory of all requests and replies, and the requests that
 * wait for it.
 *
 * A request has a reservation from the end of its head until its reply is
 * written. Those that do not fit into the budget (budget.h) are queued in order,
 * each size for itself. A body of unknown length grows its reservation; the
 * oldest of those always can, so that bodies that grow never wait for each other
 * in a circle.
 *
 * A reservation is a part of whatever it is for. Loop thread. No errors.
 */
#ifndef ROCHEFORT_NET_RESERVATIONS_H
#define ROCHEFORT_NET_RESERVATIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net/budget.h"

TAILQ_HEAD(reservation_list, reservation);

/* Zeroed it holds and waits for nothing. The fields are for reservations.c, but `granted`. */
struct reservation {
    void (*granted)(struct reservation *reservation); /* what it waited for is there */
    TAILQ_ENTRY(reservation) waiting_entry, growing_entry;
    struct reservation_list *waiting; /* in this list; NULL if not */
    bool held;                        /* there is a reservation */
    bool grows;                       /* for a body of unknown length */
    struct budget_body body;
    uint64_t wanted_bytes;
    uint64_t since_ms; /* CLOCK_MONOTONIC */
};

struct reservations {
    struct budget budget;
    struct reservation_list waiting[BUDGET_SIZES]; /* for a first reservation */
    struct reservation_list waiting_to_grow;
    struct reservation_list growing; /* for bodies of unknown length, oldest first */
    bool released;                   /* something, since the last reservations_grant */
};

void reservations_init(struct reservations *reservations, uint64_t limit_bytes,
                       uint64_t reply_bytes);

/*
 * Wants memory for a body of `bytes` bytes, which may become `bytes_max`; again when it grows.
 * False: it waits for that, and `granted` will be called by reservations_grant.
 */
bool reservations_want(struct reservations *reservations, struct reservation *reservation,
                       uint64_t bytes, uint64_t bytes_max, uint64_t now_ms);

/* Neither holds nor waits for anything any more. */
void reservations_release(struct reservations *reservations, struct reservation *reservation);

/* Once a loop iteration: those that waited and fit go on, each of them once. */
void reservations_grant(struct reservations *reservations, uint64_t now_ms);

/* Requests wait for memory. */
bool reservations_wanted(const struct reservations *reservations);

/* reservations_grant must be called again before the loop sleeps. */
bool reservations_released(const struct reservations *reservations);

/* What is held, or kept for it. */
uint64_t reservations_bytes(const struct reservations *reservations,
                            const struct reservation *reservation);

/* How much to want for a body of unknown length that needs `needed` bytes and has `held`: it grows
 * in steps, each twice as large as the one before. */
uint64_t reservations_step(uint64_t needed, uint64_t held, uint64_t bytes_max);

#endif
