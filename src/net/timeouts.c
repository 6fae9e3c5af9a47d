#include "net/timeouts.h"

#include <stdbool.h>

#define MS_PER_SECOND 1000ULL
/* Less than the second between two checks, so that each of them looks. */
#define RATE_CHECK_MS 500

static uint64_t ms_or_never(unsigned seconds)
{
    return seconds > 0 ? seconds * MS_PER_SECOND : TIMEOUTS_NEVER;
}

static bool interval_is_over(const struct timeouts *limits, const struct timeouts_input *input)
{
    return input->interval_ms >= limits->interval_s * MS_PER_SECOND;
}

static bool is_fast_enough(const struct timeouts *limits, const struct timeouts_input *input)
{
    uint64_t needed;
    if (__builtin_mul_overflow(limits->bytes_per_s_min, input->interval_ms, &needed))
        return false;
    return input->moved_bytes >= needed / MS_PER_SECOND;
}

/* Of a phase with a rate. */
static struct timeouts_verdict check_rate(const struct timeouts *limits,
                                          const struct timeouts_input *input,
                                          struct timeouts_verdict too_slow)
{
    if (!interval_is_over(limits, input))
        return (struct timeouts_verdict){.action = TIMEOUTS_WAIT};
    if (!is_fast_enough(limits, input))
        return too_slow;
    return (struct timeouts_verdict){.action = TIMEOUTS_NEXT_INTERVAL};
}

struct timeouts_verdict timeouts_check(const struct timeouts *limits,
                                       const struct timeouts_input *input)
{
    static const struct timeouts_verdict wait = {.action = TIMEOUTS_WAIT},
                                         close = {.action = TIMEOUTS_CLOSE},
                                         reset = {.action = TIMEOUTS_RESET};
    static const struct timeouts_verdict late_head = {TIMEOUTS_REFUSE,
                                                      "the head of the request took too long"},
                                         slow_body = {TIMEOUTS_REFUSE, "the body came too slowly"};
    switch (input->phase) {
    case TIMEOUTS_IDLE:
        return input->phase_ms >= ms_or_never(limits->idle_s) ? close : wait;
    case TIMEOUTS_HEAD:
        return input->phase_ms >= ms_or_never(limits->head_s) ? late_head : wait;
    case TIMEOUTS_BODY:
        return check_rate(limits, input, slow_body);
    case TIMEOUTS_REPLY:
        return check_rate(limits, input, reset);
    case TIMEOUTS_LINGER:
        /* Closed earlier, what the kernel still has to send would be left without a limit. */
        if (input->phase_ms >= TIMEOUTS_LINGER_MS && input->unsent_bytes == 0)
            return close;
        return check_rate(limits, input, reset);
    case TIMEOUTS_NONE:
    case TIMEOUTS_PHASES:
        break;
    }
    return wait;
}

uint64_t timeouts_check_after_ms(const struct timeouts *limits, enum timeouts_phase phase)
{
    switch (phase) {
    case TIMEOUTS_IDLE:
        return ms_or_never(limits->idle_s);
    case TIMEOUTS_HEAD:
        return ms_or_never(limits->head_s);
    case TIMEOUTS_BODY:
    case TIMEOUTS_REPLY:
    case TIMEOUTS_LINGER:
        return RATE_CHECK_MS;
    case TIMEOUTS_NONE:
    case TIMEOUTS_PHASES:
        break;
    }
    return TIMEOUTS_NEVER;
}
