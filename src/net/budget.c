#include "net/budget.h"

#include "work/job.h"

#define RESERVED_FOR_SMALL 8 /* one part of so many */

static bool is_large(uint64_t body_bytes)
{
    return body_bytes >= BUDGET_LARGE_BYTES;
}

/* Of the budget, for requests of this kind. */
static uint64_t limit_for(const struct budget *budget, bool large)
{
    const uint64_t limit = budget->limit_bytes, one_small = BUDGET_LARGE_BYTES + JOB_PIECE_BYTES;
    uint64_t reserved = limit / RESERVED_FOR_SMALL;
    if (!large)
        return limit;
    if (reserved < one_small)
        reserved = one_small;
    return limit > reserved ? limit - reserved : 0;
}

/* What a request counts: one that does not fit as all that there is. */
static uint64_t share_of(const struct budget *budget, uint64_t body_bytes)
{
    uint64_t share = body_bytes + JOB_PIECE_BYTES;
    uint64_t limit = limit_for(budget, is_large(body_bytes));
    return share < limit ? share : limit;
}

bool budget_take(struct budget *budget, uint64_t body_bytes)
{
    bool large = is_large(body_bytes);
    uint64_t limit = limit_for(budget, large), share = share_of(budget, body_bytes);
    bool fits = body_bytes + JOB_PIECE_BYTES <= limit;
    bool alone = large ? budget->large == 0 : budget->used_bytes == 0;
    if (fits ? budget->used_bytes > limit - share : !alone)
        return false;
    budget->used_bytes += share;
    budget->large += large;
    return true;
}

void budget_give(struct budget *budget, uint64_t body_bytes)
{
    budget->used_bytes -= share_of(budget, body_bytes);
    budget->large -= is_large(body_bytes);
}
