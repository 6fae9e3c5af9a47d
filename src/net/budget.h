/*
 * budget: how much memory all requests and replies may hold at a time.
 *
 * A request takes its share before its body is read: the whole body, and one
 * piece of a reply. Who has a share can always finish, so nobody waits for
 * memory that is held by somebody who waits. Who gets none stays with the
 * kernel, and TCP makes its client wait.
 *
 * Large bodies leave an eighth alone, or what one small request needs if that
 * is more, so that small requests go on while large ones queue. A body that
 * does not fit into the rest is let in when no other large one is there, and
 * counts as all of the rest: then it is the largest value that bounds the
 * memory.
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
    uint64_t limit_bytes, used_bytes;
    unsigned large; /* shares of large bodies */
};

/* Takes the share of a request with a body of so many bytes. False: not now. */
bool budget_take(struct budget *budget, uint64_t body_bytes);

/* Once for each budget_take that was true, with the same number. */
void budget_give(struct budget *budget, uint64_t body_bytes);

#endif
