#include "net/timeouts.h"

#include <stdbool.h>

#define MS_PER_SECOND 1000ULL
/* Less than the second between two checks, so that each of them looks. */
#define RATE_CHECK_MS 500

static const struct timeouts_verdict wait = {.action = TIMEOUTS_WAIT},
                                     closed = {.action = TIMEOUTS_CLOSE},
                                     reset = {.action = TIMEOUTS_RESET};

static uint64_t ms_or_never(unsigned seconds)
{
    return seconds > 0 ? seconds * MS_PER_SECOND : TIMEOUTS_NEVER;
}

static bool interval_is_over(const struct timeouts *limits, const struct timeouts_input *input)
{
    return input->interval_ms >= limits->interval_s * MS_PER_SECOND;
}

/* Bytes that have to move in the interval; UINT64_MAX if that is more than can be counted. */
static uint64_t demanded_bytes(const struct timeouts *limits, const struct timeouts_input *input)
{
    uint64_t demanded, grown;
    if (__builtin_mul_overflow(limits->bytes_per_s_min, input->interval_ms, &demanded))
        return UINT64_MAX;
    demanded /= MS_PER_SECOND;
    if (input->phase != TIMEOUTS_BODY || !input->memory_wanted || limits->bytes_per_s_min == 0)
        return demanded;
    /* in two steps, so that no product of real numbers overflows */
    if (__builtin_mul_overflow(input->reserved_bytes, input->reserved_ms, &grown) ||
        __builtin_mul_overflow(grown / TIMEOUTS_RESERVED_MS, input->interval_ms, &grown))
        return UINT64_MAX;
    grown /= TIMEOUTS_RESERVED_MS;
    return grown > demanded ? grown : demanded;
}

static bool is_fast_enough(const struct timeouts *limits, const struct timeouts_input *input)
{
    uint64_t demanded = demanded_bytes(limits, input);
    return demanded != UINT64_MAX && input->moved_bytes >= demanded;
}

/* Of a phase with a rate. */
static struct timeouts_verdict check_rate(const struct timeouts *limits,
                                          const struct timeouts_input *input,
                                          struct timeouts_verdict too_slow)
{
    if (!interval_is_over(limits, input))
        return wait;
    if (!is_fast_enough(limits, input))
        return too_slow;
    return (struct timeouts_verdict){.action = TIMEOUTS_NEXT_INTERVAL};
}

/*
 * Closed earlier, what the kernel still has to send would be left without a limit, and what the
 * client still sends would be answered with a reset, maybe before it has read.
 */
static struct timeouts_verdict check_linger(const struct timeouts *limits,
                                            const struct timeouts_input *input)
{
    bool too_much = input->arrived_bytes >= TIMEOUTS_LINGER_BYTES_MAX,
         over = too_much || input->phase_ms >= TIMEOUTS_LINGER_MS_MAX ||
                (input->phase_ms >= TIMEOUTS_LINGER_MS && !input->arriving);
    if (input->unsent_bytes == 0)
        return over ? closed : wait;
    /* one that takes its reply slowly but steadily is left to it */
    return too_much ? reset : check_rate(limits, input, reset);
}

struct timeouts_verdict timeouts_check(const struct timeouts *limits,
                                       const struct timeouts_input *input)
{
    static const struct timeouts_verdict late_head = {TIMEOUTS_REFUSE,
                                                      "the head of the request took too long"},
                                         slow_body = {TIMEOUTS_REFUSE, "the body came too slowly"};
    switch (input->phase) {
    case TIMEOUTS_IDLE:
        return input->phase_ms >= ms_or_never(limits->idle_s) ? closed : wait;
    case TIMEOUTS_HEAD:
        return input->phase_ms >= ms_or_never(limits->head_s) ? late_head : wait;
    case TIMEOUTS_BODY:
        return check_rate(limits, input, slow_body);
    case TIMEOUTS_REPLY:
        return check_rate(limits, input, reset);
    case TIMEOUTS_LINGER:
        return check_linger(limits, input);
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
