/*
 * Tests of base/hex: all values of a char.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <string.h>

#include "base/hex.h"

static void every_character(void **state)
{
    (void)state;
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    unsigned digits = 0;
    for (int i = CHAR_MIN; i <= CHAR_MAX; i++) {
        char c = (char)i;
        const char *found = memchr(lower, c, 16);
        const char *base = lower;
        if (found == NULL) {
            found = memchr(upper, c, 16);
            base = upper;
        }
        assert_int_equal(hex_digit_value(c), found != NULL ? found - base : -1);
        digits += found != NULL;
    }
    assert_int_equal(digits, 10 + 6 + 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
