/*
 * Tests of base/clock: against the kernel's clocks, read before and after.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "base/clock.h"

static uint64_t kernel_ns(clockid_t id)
{
    struct timespec now;
    assert_int_equal(clock_gettime(id, &now), 0);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void monotonic_is_the_kernels(void **state)
{
    (void)state;
    uint64_t before_ns = kernel_ns(CLOCK_MONOTONIC);
    uint64_t ns = clock_monotonic_ns();
    int64_t s = clock_monotonic_s();
    uint64_t after_ns = kernel_ns(CLOCK_MONOTONIC);
    assert_in_range(ns, before_ns, after_ns);
    assert_in_range(s, before_ns / 1000000000, after_ns / 1000000000);
}

static void monotonic_never_goes_back(void **state)
{
    (void)state;
    for (uint64_t last_ns = 0, round = 0; round < 100000; round++) {
        uint64_t ns = clock_monotonic_ns();
        assert_true(ns >= last_ns);
        last_ns = ns;
    }
}

static void realtime_is_the_kernels(void **state)
{
    (void)state;
    uint64_t before_ns = kernel_ns(CLOCK_REALTIME);
    uint64_t ns = clock_realtime_ns();
    assert_in_range(ns, before_ns, kernel_ns(CLOCK_REALTIME));
}

static void units(void **state)
{
    (void)state;
    assert_int_equal(CLOCK_NS_PER_SECOND, 1000 * CLOCK_NS_PER_MS);
    assert_int_equal(CLOCK_NS_PER_MS, 1000 * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monotonic_is_the_kernels),
        cmocka_unit_test(monotonic_never_goes_back),
        cmocka_unit_test(realtime_is_the_kernels),
        cmocka_unit_test(units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
