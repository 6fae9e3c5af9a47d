/* Tests of base/durations: which bound a duration belongs to. */
#include "base/durations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void bounds_rise(void **state)
{
    (void)state;
    assert_int_equal(durations_bounds_ns[0], 100 * 1000);
    assert_true(durations_bounds_ns[DURATIONS_BOUNDS - 1] == 10000000000ULL);
    for (unsigned i = 1; i < DURATIONS_BOUNDS; i++)
        assert_true(durations_bounds_ns[i - 1] < durations_bounds_ns[i]);
}

static void a_bound_includes_itself(void **state)
{
    (void)state;
    assert_int_equal(durations_bound(0), 0);
    for (unsigned i = 0; i < DURATIONS_BOUNDS; i++) {
        assert_int_equal(durations_bound(durations_bounds_ns[i]), i);
        assert_int_equal(durations_bound(durations_bounds_ns[i] + 1), i + 1);
    }
    assert_int_equal(durations_bound(UINT64_MAX), DURATIONS_BOUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bounds_rise),
                                       cmocka_unit_test(a_bound_includes_itself)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
