#include "net/budget.h"

#define SMALL_PART 8 /* one part of so many is for small requests only */

static bool is_large(uint64_t body_bytes)
{
    return body_bytes >= BUDGET_LARGE_BYTES;
}

/* Of the budget, for requests of this kind. */
static uint64_t limit_for(const struct budget *budget, bool large)
{
    const uint64_t limit = budget->limit_bytes,
                   one_small = BUDGET_LARGE_BYTES + budget->reply_bytes;
    uint64_t for_small = limit / SMALL_PART;
    if (!large)
        return limit;
    if (for_small < one_small)
        for_small = one_small;
    return limit > for_small ? limit - for_small : 0;
}

/* What a request counts: one that does not fit as all that there is. */
static uint64_t counted_bytes(const struct budget *budget, uint64_t body_bytes)
{
    uint64_t bytes = body_bytes + budget->reply_bytes;
    uint64_t limit = limit_for(budget, is_large(body_bytes));
    return bytes < limit ? bytes : limit;
}

bool budget_reserve(struct budget *budget, uint64_t body_bytes)
{
    bool large = is_large(body_bytes);
    uint64_t limit = limit_for(budget, large), bytes = counted_bytes(budget, body_bytes);
    bool fits = body_bytes + budget->reply_bytes <= limit;
    bool alone = large ? budget->large == 0 : budget->used_bytes == 0;
    if (fits ? budget->used_bytes > limit - bytes : !alone)
        return false;
    budget->used_bytes += bytes;
    budget->large += large;
    return true;
}

void budget_release(struct budget *budget, uint64_t body_bytes)
{
    budget->used_bytes -= counted_bytes(budget, body_bytes);
    budget->large -= is_large(body_bytes);
}
