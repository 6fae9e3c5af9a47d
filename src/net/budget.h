/*
 * budget: how much memory all requests and replies may hold at a time.
 *
 * A reservation is made for a request before its body is read: the whole body,
 * and what of the reply is in memory at a time. A request that has its
 * reservation can always finish, so no request waits for memory that is held by
 * one that waits. Until then the body stays in the kernel, and TCP makes its
 * client wait.
 *
 * Large bodies leave an eighth of the budget, or what one small request needs if
 * that is more, so that small requests go on while large ones queue. A body that
 * does not fit into the rest is let in when no other large one is there, and
 * counts as all of the rest: then it is the largest value that bounds the memory.
 *
 * Loop thread. No errors.
 */
#ifndef ROCHEFORT_NET_BUDGET_H
#define ROCHEFORT_NET_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/* From here on a body is large. */
#define BUDGET_LARGE_BYTES (64 * 1024)

struct budget {
    uint64_t limit_bytes;
    uint64_t reply_bytes; /* of one reply in memory at a time */
    uint64_t used_bytes;
    unsigned large; /* reservations for large bodies */
};

/* Reserves memory for a request with a body of so many bytes. False: not now. */
bool budget_reserve(struct budget *budget, uint64_t body_bytes);

/* Once for each budget_reserve that was true, with the same number. */
void budget_release(struct budget *budget, uint64_t body_bytes);

#endif
