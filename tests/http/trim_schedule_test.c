/*
 * Tests of http/trim_schedule: what requests need in each interval, and when
 * memory is given back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/trim_schedule.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define INTERVALS 8

#define NO TRIM_NOTHING
#define WORKERS TRIM_WORKERS
#define ALL TRIM_LOOP_AND_WORKERS

/* In each interval first `most` bytes are reserved, then `last`. At its end `step` follows; with
 * `active` false no end was asked for. */
static const struct row {
    const char *name;
    struct interval {
        uint64_t most, last;
        bool active;
        enum trim_step step;
    } intervals[INTERVALS];
} rows[] = {
    {.name = "a burst, then nothing",
     .intervals = {{512 * MIB, 0, true, NO}, {0, 0, true, WORKERS}, {0, 0, true, ALL}}},
    {.name = "a burst that ends slowly",
     .intervals = {{512 * MIB, 400 * MIB, true, NO},
                   {400 * MIB, 257 * MIB, true, NO},
                   {257 * MIB, 90 * MIB, true, NO},
                   {110 * MIB, 80 * MIB, true, WORKERS},
                   {80 * MIB, 60 * MIB, true, ALL},
                   {60 * MIB, 0, true, NO},
                   {0, 0, true, WORKERS},
                   {0, 0, true, ALL}}},
    {.name = "a steady load that is idle between its requests",
     .intervals = {{64 * MIB, 0, true, NO},
                   {64 * MIB, 0, true, NO},
                   {33 * MIB, 0, true, NO},
                   {64 * MIB, 0, true, NO},
                   {64 * MIB, 0, true, NO},
                   {0, 0, true, WORKERS},
                   {0, 0, true, ALL}}},
    {.name = "a load that does not move",
     .intervals = {{64 * MIB, 64 * MIB, true, NO},
                   {64 * MIB, 64 * MIB, true, NO},
                   {64 * MIB, 64 * MIB, true, NO},
                   {64 * MIB, 0, true, NO},
                   {0, 0, true, WORKERS},
                   {0, 0, true, ALL}}},
    {.name = "half is not less than half",
     .intervals = {{64 * MIB, 0, true, NO},
                   {32 * MIB + 1, 0, true, NO},
                   {32 * MIB, 0, true, WORKERS},
                   {32 * MIB, 0, true, ALL},
                   {32 * MIB, 0, true, NO},
                   {0, 0, true, WORKERS},
                   {0, 0, true, ALL}}},
    {.name = "small requests never",
     .intervals = {{16 * MIB - 1, 0, false, NO},
                   {0, 0, false, NO},
                   {16 * MIB - 1, 16 * MIB - 1, false, NO}}},
    {.name = "from 16 MiB on",
     .intervals = {{16 * MIB, 0, true, NO}, {0, 0, true, WORKERS}, {0, 0, true, ALL}}},
    {.name = "small requests after a burst: the last time is when they need next to nothing",
     .intervals = {{512 * MIB, 4 * MIB, true, NO},
                   {4 * MIB, 4 * MIB, true, WORKERS},
                   {4 * MIB, 4 * MIB, true, ALL},
                   {4 * MIB, 4 * MIB, true, NO},
                   {4 * MIB, 1 * MIB - 1, true, NO},
                   {1 * MIB - 1, 0, true, WORKERS},
                   {0, 0, true, ALL}}},
    {.name = "a burst between the two steps",
     .intervals = {{100 * MIB, 0, true, NO},
                   {0, 0, true, WORKERS},
                   {200 * MIB, 0, true, ALL},
                   {0, 0, true, WORKERS},
                   {0, 0, true, ALL}}},
    {.name = "a load that comes and goes",
     .intervals = {{100 * MIB, 0, true, NO},
                   {0, 0, true, WORKERS},
                   {100 * MIB, 0, true, ALL},
                   {0, 0, true, WORKERS},
                   {100 * MIB, 0, true, ALL},
                   {100 * MIB, 0, true, NO},
                   {0, 0, true, WORKERS},
                   {0, 0, true, ALL}}},
};

static void steps_follow_as_the_rows_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct trim_schedule schedule = {0};
        for (size_t n = 0; n < INTERVALS; n++) {
            const struct interval *interval = &rows[i].intervals[n];
            bool active = trim_schedule_note(&schedule, interval->most);
            active = trim_schedule_note(&schedule, interval->last) || active;
            enum trim_step step = active ? trim_schedule_tick(&schedule) : TRIM_NOTHING;
            if (active != interval->active || step != interval->step)
                fail_msg("%s: interval %zu: active %d, step %d", rows[i].name, n, active,
                         (int)step);
            if (active)
                (void)trim_schedule_note(&schedule, interval->last);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_follow_as_the_rows_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
