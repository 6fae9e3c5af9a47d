#include "http/budget.h"

#include "work/job.h"

#define RESERVED_FOR_SMALL 8 /* one part of so many */

static bool is_large(uint64_t body_bytes)
{
    return body_bytes >= BUDGET_LARGE_BYTES;
}

bool budget_take(struct budget *budget, uint64_t body_bytes)
{
    uint64_t share = body_bytes + JOB_PIECE_BYTES, limit = budget->limit_bytes;
    bool large = is_large(body_bytes), alone = budget->used_bytes == 0;
    if (large) {
        limit -= limit / RESERVED_FOR_SMALL;
        alone = budget->large == 0;
    }
    if (share > limit ? !alone : budget->used_bytes > limit - share)
        return false;
    budget->used_bytes += share;
    budget->large += large;
    return true;
}

void budget_give(struct budget *budget, uint64_t body_bytes)
{
    budget->used_bytes -= body_bytes + JOB_PIECE_BYTES;
    budget->large -= is_large(body_bytes);
}
