/* Numbers as text, beside printf's. */
#include "base/decimal.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void check(uint64_t number)
{
    char expected[DECIMAL_BYTES_MAX + 1], out[DECIMAL_BYTES_MAX];
    int bytes = snprintf(expected, sizeof(expected), "%" PRIu64, number);
    assert_int_equal(bytes, decimal_write(number, out));
    assert_memory_equal(expected, out, (size_t)bytes);
}

static void test_every_number_of_digits(void **state)
{
    (void)state;
    check(0);
    check(UINT64_MAX);
    for (uint64_t number = 1; number <= UINT64_MAX / 10; number *= 10) {
        check(number - 1);
        check(number);
        check(number * 9 + 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_number_of_digits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
