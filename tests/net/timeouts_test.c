/* What must happen to a connection, for each phase, time and rate. */
#include "net/timeouts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct timeouts limits = {
    .idle_s = 75, .head_s = 20, .interval_s = 10, .bytes_per_s_min = 512};
static const struct timeouts no_limits = {.interval_s = 10};

struct row {
    const char *what;
    const struct timeouts *limits;
    struct timeouts_input input;
    enum timeouts_action action;
    const char *why;
};

static const struct row rows[] = {
    {"served however long it takes",
     &limits,
     {.phase = TIMEOUTS_NONE, .phase_ms = UINT64_MAX, .interval_ms = UINT64_MAX},
     TIMEOUTS_WAIT,
     NULL},

    {"idle, new", &limits, {.phase = TIMEOUTS_IDLE}, TIMEOUTS_WAIT, NULL},
    {"idle, just before",
     &limits,
     {.phase = TIMEOUTS_IDLE, .phase_ms = 74999},
     TIMEOUTS_WAIT,
     NULL},
    {"idle, at the limit",
     &limits,
     {.phase = TIMEOUTS_IDLE, .phase_ms = 75000},
     TIMEOUTS_CLOSE,
     NULL},
    {"idle, no limit",
     &no_limits,
     {.phase = TIMEOUTS_IDLE, .phase_ms = UINT64_MAX - 1},
     TIMEOUTS_WAIT,
     NULL},

    {"head, just before",
     &limits,
     {.phase = TIMEOUTS_HEAD, .phase_ms = 19999},
     TIMEOUTS_WAIT,
     NULL},
    {"head, at the limit, however much has come",
     &limits,
     {.phase = TIMEOUTS_HEAD, .phase_ms = 20000, .moved_bytes = 1 << 20},
     TIMEOUTS_REFUSE,
     "the head of the request took too long"},
    {"head, no limit",
     &no_limits,
     {.phase = TIMEOUTS_HEAD, .phase_ms = UINT64_MAX - 1},
     TIMEOUTS_WAIT,
     NULL},

    {"body, within the interval, nothing came",
     &limits,
     {.phase = TIMEOUTS_BODY, .phase_ms = 99999, .interval_ms = 9999},
     TIMEOUTS_WAIT,
     NULL},
    {"body, one byte too few",
     &limits,
     {.phase = TIMEOUTS_BODY, .interval_ms = 10000, .moved_bytes = 5119},
     TIMEOUTS_REFUSE,
     "the body came too slowly"},
    {"body, just enough",
     &limits,
     {.phase = TIMEOUTS_BODY, .interval_ms = 10000, .moved_bytes = 5120},
     TIMEOUTS_NEXT_INTERVAL,
     NULL},
    {"body, a longer interval needs more",
     &limits,
     {.phase = TIMEOUTS_BODY, .interval_ms = 11000, .moved_bytes = 5631},
     TIMEOUTS_REFUSE,
     "the body came too slowly"},
    {"body, no limit",
     &no_limits,
     {.phase = TIMEOUTS_BODY, .interval_ms = 10000},
     TIMEOUTS_NEXT_INTERVAL,
     NULL},
    {"body, a time that no rate fits",
     &limits,
     {.phase = TIMEOUTS_BODY, .interval_ms = UINT64_MAX, .moved_bytes = UINT64_MAX},
     TIMEOUTS_REFUSE,
     "the body came too slowly"},

    {"reply, one byte too few",
     &limits,
     {.phase = TIMEOUTS_REPLY, .interval_ms = 10000, .moved_bytes = 5119},
     TIMEOUTS_RESET,
     NULL},
    {"reply, just enough",
     &limits,
     {.phase = TIMEOUTS_REPLY, .interval_ms = 10000, .moved_bytes = 5120},
     TIMEOUTS_NEXT_INTERVAL,
     NULL},

    {"lingering, too short, though all is acknowledged",
     &limits,
     {.phase = TIMEOUTS_LINGER, .phase_ms = TIMEOUTS_LINGER_MS - 1},
     TIMEOUTS_WAIT,
     NULL},
    {"lingering, long enough and all is acknowledged",
     &limits,
     {.phase = TIMEOUTS_LINGER, .phase_ms = TIMEOUTS_LINGER_MS},
     TIMEOUTS_CLOSE,
     NULL},
    {"lingering, long enough but something is not acknowledged",
     &limits,
     {.phase = TIMEOUTS_LINGER, .phase_ms = 9000, .interval_ms = 9000, .unsent_bytes = 1},
     TIMEOUTS_WAIT,
     NULL},
    {"lingering, the reply is taken too slowly",
     &limits,
     {.phase = TIMEOUTS_LINGER,
      .phase_ms = 10000,
      .interval_ms = 10000,
      .moved_bytes = 5119,
      .unsent_bytes = 1},
     TIMEOUTS_RESET,
     NULL},
    {"lingering, the reply is taken fast enough",
     &limits,
     {.phase = TIMEOUTS_LINGER,
      .phase_ms = 10000,
      .interval_ms = 10000,
      .moved_bytes = 5120,
      .unsent_bytes = 1},
     TIMEOUTS_NEXT_INTERVAL,
     NULL},
    {"lingering without a limit while something is not acknowledged",
     &no_limits,
     {.phase = TIMEOUTS_LINGER, .phase_ms = 10000, .interval_ms = 10000, .unsent_bytes = 1},
     TIMEOUTS_NEXT_INTERVAL,
     NULL},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%s\n", rows[i].what);
        struct timeouts_verdict verdict = timeouts_check(rows[i].limits, &rows[i].input);
        assert_int_equal(rows[i].action, verdict.action);
        if (rows[i].why == NULL)
            assert_null(verdict.why);
        else
            assert_string_equal(rows[i].why, verdict.why);
    }
}

static void test_a_check_is_due_when_it_can_find_something(void **state)
{
    (void)state;
    assert_true(timeouts_check_after_ms(&limits, TIMEOUTS_NONE) == TIMEOUTS_NEVER);
    assert_int_equal(75000, timeouts_check_after_ms(&limits, TIMEOUTS_IDLE));
    assert_int_equal(20000, timeouts_check_after_ms(&limits, TIMEOUTS_HEAD));
    assert_true(timeouts_check_after_ms(&no_limits, TIMEOUTS_IDLE) == TIMEOUTS_NEVER);
    assert_true(timeouts_check_after_ms(&no_limits, TIMEOUTS_HEAD) == TIMEOUTS_NEVER);
    for (enum timeouts_phase phase = TIMEOUTS_BODY; phase < TIMEOUTS_PHASES; phase++)
        assert_true(timeouts_check_after_ms(&limits, phase) <= 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_a_check_is_due_when_it_can_find_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
