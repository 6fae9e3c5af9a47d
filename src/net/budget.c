#include "net/budget.h"

#define PART 8 /* one part of so many is left to each smaller size */

enum budget_size_kind budget_size(uint64_t body_bytes)
{
    if (body_bytes < BUDGET_MEDIUM_BYTES)
        return BUDGET_SMALL;
    return body_bytes < BUDGET_LARGE_BYTES ? BUDGET_MEDIUM : BUDGET_LARGE;
}

/* What requests of this size leave to smaller ones. */
static uint64_t left_by(const struct budget *budget, enum budget_size_kind size)
{
    static const uint64_t longest[BUDGET_LARGE] = {BUDGET_MEDIUM_BYTES, BUDGET_LARGE_BYTES};
    uint64_t parts = 0;
    for (unsigned smaller = 0; smaller < size && smaller < BUDGET_LARGE; smaller++) {
        uint64_t part = budget->limit_bytes / PART, one = longest[smaller] + budget->reply_bytes;
        parts += part > one ? part : one;
    }
    return parts;
}

/* Of the budget, for requests of this size. */
static uint64_t limit_for(const struct budget *budget, enum budget_size_kind size)
{
    uint64_t left = left_by(budget, size);
    return budget->limit_bytes > left ? budget->limit_bytes - left : 0;
}

/* The same less what is kept; but what large requests leave is there all the same, beside what the
 * oldest that grows has. */
static uint64_t limit_now(const struct budget *budget, enum budget_size_kind size)
{
    uint64_t limit = limit_for(budget, size);
    uint64_t rest = limit > budget->kept_bytes ? limit - budget->kept_bytes : 0;
    uint64_t parts = left_by(budget, BUDGET_LARGE) - left_by(budget, size) + budget->oldest_bytes;
    if (rest < parts)
        rest = parts;
    return rest < limit ? rest : limit;
}

/* What a request counts: one that does not fit as all that there is. */
static uint64_t counted_bytes(const struct budget *budget, struct budget_body body)
{
    uint64_t bytes = body.bytes + budget->reply_bytes;
    uint64_t limit = limit_for(budget, budget_size(body.bytes_max));
    return bytes < limit ? bytes : limit;
}

/* By requests that are smaller. */
static uint64_t used_below(const struct budget *budget, enum budget_size_kind size)
{
    uint64_t bytes = 0;
    for (unsigned smaller = 0; smaller < size; smaller++)
        bytes += budget->size_bytes[smaller];
    return bytes;
}

/* Of what requests of this size may use. */
static uint64_t used_of_limit(const struct budget *budget, enum budget_size_kind size)
{
    uint64_t smaller = used_below(budget, size), left = left_by(budget, size);
    return budget->used_bytes - (smaller < left ? smaller : left);
}

/* No other request of its size or larger. */
static bool is_alone(const struct budget *budget, enum budget_size_kind size)
{
    if (size == BUDGET_SMALL)
        return budget->used_bytes == 0;
    for (unsigned other = size; other < BUDGET_SIZES; other++)
        if (budget->count[other] > 0)
            return false;
    return true;
}

static void count(struct budget *budget, struct budget_body body)
{
    enum budget_size_kind size = budget_size(body.bytes_max);
    uint64_t bytes = counted_bytes(budget, body);
    budget->used_bytes += bytes;
    budget->size_bytes[size] += bytes;
    budget->count[size]++;
}

bool budget_reserve(struct budget *budget, struct budget_body body)
{
    enum budget_size_kind size = budget_size(body.bytes_max);
    bool fits = body.bytes + budget->reply_bytes <= limit_for(budget, size);
    if (fits ? used_of_limit(budget, size) + counted_bytes(budget, body) > limit_now(budget, size)
             : !is_alone(budget, size))
        return false;
    count(budget, body);
    return true;
}

bool budget_leaves_room(const struct budget *budget, struct budget_body body,
                        enum budget_size_kind waiting)
{
    return used_below(budget, waiting) + counted_bytes(budget, body) <= left_by(budget, waiting);
}

void budget_release(struct budget *budget, struct budget_body body)
{
    enum budget_size_kind size = budget_size(body.bytes_max);
    uint64_t bytes = counted_bytes(budget, body);
    budget->used_bytes -= bytes;
    budget->size_bytes[size] -= bytes;
    budget->count[size]--;
}

bool budget_grow(struct budget *budget, struct budget_body body, uint64_t bytes, bool oldest)
{
    struct budget_body grown = {bytes, body.bytes_max};
    budget_release(budget, body);
    if (!oldest && budget_reserve(budget, grown))
        return true;
    count(budget, oldest ? grown : body);
    return oldest;
}

void budget_keep(struct budget *budget, struct budget_body oldest)
{
    budget->kept_bytes = oldest.bytes_max - oldest.bytes;
    budget->oldest_bytes = counted_bytes(budget, oldest);
}

void budget_keep_nothing(struct budget *budget)
{
    budget->kept_bytes = budget->oldest_bytes = 0;
}
