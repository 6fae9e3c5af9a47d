/*
 * Tests of store/error: findings of the store's own cannot be mistaken for errors of the kernel,
 * neither as numbers nor in words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "store/error.h"

#define ERRNO_MAX 4095 /* of the kernel, whatever it may add */

static void findings_are_no_errno(void **state)
{
    (void)state;
    assert_true(STORE_ERROR_END < -ERRNO_MAX);
    assert_true(STORE_ERROR_END - STORE_NOT_FOUND >= 12);
}

static void every_finding_has_words_of_its_own(void **state)
{
    (void)state;
    for (int error = STORE_NOT_FOUND; error < STORE_ERROR_END; error++) {
        const char *text = store_error_text(error);
        assert_non_null(text);
        assert_true(strlen(text) > 5);
        assert_null(strpbrk(text, "\r\n"));
        for (int other = STORE_NOT_FOUND; other < error; other++)
            assert_string_not_equal(text, store_error_text(other));
    }
}

static void errors_of_the_kernel_are_in_its_words(void **state)
{
    (void)state;
    static const struct {
        int error;
        const char *text;
    } table[] = {
        {-EIO, "Input/output error"},
        {-ENOENT, "No such file or directory"},
        {-ESTALE, "Stale file handle"},
        {-EUCLEAN, "Structure needs cleaning"},
        {-ENODATA, "No data available"},
        {-EBUSY, "Device or resource busy"},
        {-EBADFD, "File descriptor in bad state"},
        {-EMEDIUMTYPE, "Wrong medium type"},
        {-ENOTRECOVERABLE, "State not recoverable"},
        {-ERRNO_MAX, "Unknown error 4095"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_string_equal(store_error_text(table[i].error), table[i].text);
    assert_non_null(store_error_text(STORE_ERROR_END)); /* none, but never NULL */
    assert_non_null(store_error_text(STORE_NOT_FOUND - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(findings_are_no_errno),
        cmocka_unit_test(every_finding_has_words_of_its_own),
        cmocka_unit_test(errors_of_the_kernel_are_in_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
