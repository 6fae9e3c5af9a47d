/*
 * budget: how much memory all requests and replies may hold at a time.
 *
 * A reservation is made for a request before its body is read: the whole body,
 * and what of the reply is in memory at a time. A body of unknown length grows
 * its reservation; for the oldest of them the rest up to the largest body is
 * kept. So some request can always finish, and none waits for memory that is
 * held by one that waits for it. Until then the body stays in the kernel, and
 * TCP makes its client wait.
 *
 * Larger bodies leave a part to smaller ones: an eighth of the budget for each
 * smaller size, or what one request of it needs if that is more. So small
 * requests go on while large ones queue. What is in use of that part does not
 * count for the larger ones; and while one of these waits, smaller ones get no
 * more than it. So none waits for ever because others come all the time. A body
 * that does not fit into the rest is let in when no other one of its size is
 * there, and counts as all of the rest: then it is the largest value that bounds
 * the memory.
 *
 * Loop thread. No errors.
 */
#ifndef ROCHEFORT_NET_BUDGET_H
#define ROCHEFORT_NET_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum budget_size_kind { BUDGET_SMALL, BUDGET_MEDIUM, BUDGET_LARGE, BUDGET_SIZES };

/* From here on a body is of the next size. */
#define BUDGET_MEDIUM_BYTES (64 * 1024)
#define BUDGET_LARGE_BYTES (4 * 1024 * 1024)

struct budget {
    uint64_t limit_bytes;
    uint64_t reply_bytes; /* of one reply in memory at a time */
    uint64_t used_bytes;
    uint64_t size_bytes[BUDGET_SIZES]; /* of these, by requests of each size */
    uint64_t kept_bytes; /* for the growth of the oldest that grows, beside what it has: */
    uint64_t oldest_bytes;
    unsigned count[BUDGET_SIZES]; /* of reservations */
};

/* If the length is not known `bytes` is what is reserved so far. It is of the size of `bytes_max`.
 */
struct budget_body {
    uint64_t bytes, bytes_max;
};

enum budget_size_kind budget_size(uint64_t body_bytes);

/* Reserves memory for a request with such a body. False: not now. */
bool budget_reserve(struct budget *budget, struct budget_body body);

/* While a request of the size `waiting` waits: true if a smaller one with such a body stays within
 * the part that is left to smaller ones. */
bool budget_leaves_room(const struct budget *budget, struct budget_body body,
                        enum budget_size_kind waiting);

/* Makes it a reservation for `bytes` bytes. False: not now, it is as it was; never so for the
 * `oldest`, whom the memory is kept for. */
bool budget_grow(struct budget *budget, struct budget_body body, uint64_t bytes, bool oldest);

/* Once for each budget_reserve that was true, with the body as it is by now. */
void budget_release(struct budget *budget, struct budget_body body);

/* This reservation is the oldest of those that grow: what it may still need is for no other. */
void budget_keep(struct budget *budget, struct budget_body oldest);

/* None grows. */
void budget_keep_nothing(struct budget *budget);

#endif
