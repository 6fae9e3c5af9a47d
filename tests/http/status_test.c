/*
 * Tests of http/status: the status of each error, and its text for the client.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "http/status.h"
#include "store/error.h"
#include "work/job.h"

static void every_status_in_use_has_its_name(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *reason; /* RFC 9110; 507 is of RFC 4918 */
    } table[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {404, "Not Found"},
        {412, "Precondition Failed"},
        {405, "Method Not Allowed"},
        {413, "Content Too Large"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_string_equal(status_reason(table[i].status), table[i].reason);
    assert_non_null(status_reason(299)); /* never NULL, it is printed */
    assert_non_null(status_reason(0));
}

static void errors_become_statuses(void **state)
{
    (void)state;
    static const struct {
        int error, status;
    } table[] = {
        /* the client may retry */
        {JOB_TOO_MANY_IN_FLIGHT, 503},
        {-ENOMEM, 503},
        /* no room */
        {-ENOSPC, 507},
        {-EDQUOT, 507},
        {STORE_TOO_MANY_PREFIXES, 507},
        {STORE_FEW_INODES, 507},
        /* not made */
        {STORE_NAME_REFUSED, 400},
        /* not there */
        {STORE_NOT_FOUND, 404},
        {STORE_ROOT_READ_ONLY, 403},
        {STORE_OTHER_END, 412},
        {STORE_PAST_END, 416},
        {STORE_OTHER_RECORD, 409},
        {STORE_NO_BUCKET, 404},
        /* somewhere else */
        {STORE_OTHER_SLOT, 421},
        {STORE_NOT_SYNCED, 500},
        {STORE_NO_PREFIX, 404},
        /* the disk failed, or its content is damaged */
        {STORE_TRUNCATED, 500},
        {STORE_FILES_MISSING, 500},
        {STORE_NO_FILE, 500},
        {STORE_NOT_REGULAR, 500},
        {STORE_CHANGED, 500},
        {STORE_READ_ONLY, 500},
        {STORE_BROKEN, 500},
        {STORE_SYNC_REFUSED, 500},
        {-EROFS, 500},
        {-EIO, 500},
        {-EMFILE, 500},
        {-EACCES, 500},
        {-ELOOP, 500},
        {-ENOTDIR, 500},
        {-EINVAL, 500},
        /* the kernel's, which sound like one of ours */
        {-EBUSY, 500},
        {-ENOENT, 500},
        {-ENODATA, 500},
        {-EBADFD, 500},
        {-ENOTRECOVERABLE, 500},
        {-EUCLEAN, 500},
        {-ESTALE, 500},
        {-EMEDIUMTYPE, 500},
        {-EAGAIN, 500},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *meaning = NULL;
        if (status_of_error(table[i].error, &meaning) != table[i].status)
            fail_msg("%s", store_error_text(table[i].error));
        assert_non_null(meaning);
        assert_true(strlen(meaning) > 0);
        assert_null(strpbrk(meaning, "\r\n")); /* one line for the client */
    }
}

static void every_error_has_a_meaning_of_its_own(void **state)
{
    (void)state;
    static const int errors[] = {JOB_TOO_MANY_IN_FLIGHT,
                                 STORE_NOT_FOUND,
                                 STORE_TRUNCATED,
                                 STORE_NO_PREFIX,
                                 STORE_FILES_MISSING,
                                 STORE_NO_FILE,
                                 STORE_OTHER_SLOT,
                                 STORE_NOT_REGULAR,
                                 STORE_CHANGED,
                                 STORE_READ_ONLY,
                                 STORE_BROKEN,
                                 STORE_SYNC_REFUSED,
                                 -EBUSY,
                                 -ENOMEM,
                                 -ENOSPC,
                                 -EDQUOT,
                                 -ENODATA,
                                 -EROFS,
                                 -EIO,
                                 -EUCLEAN,
                                 -EMFILE,
                                 -EFBIG,
                                 -ENOTRECOVERABLE,
                                 -EBADFD,
                                 -ESTALE,
                                 -EMEDIUMTYPE};
    const size_t count = sizeof(errors) / sizeof(errors[0]);
    char meanings[sizeof(errors) / sizeof(errors[0])][256];
    for (size_t i = 0; i < count; i++) {
        const char *meaning;
        (void)status_of_error(errors[i], &meaning);
        (void)strncpy(meanings[i], meaning, sizeof(meanings[i]) - 1);
        meanings[i][sizeof(meanings[i]) - 1] = '\0';
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(meanings[i], meanings[j]);
    }
}

static void other_errors_are_named_by_the_system(void **state)
{
    (void)state;
    const char *meaning;
    static const int errors[] = {EIO,    EBUSY,   ENOENT,          ENODATA, EBADFD,
                                 ESTALE, EUCLEAN, ENOTRECOVERABLE, EROFS,   EMEDIUMTYPE};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        assert_int_equal(status_of_error(-errors[i], &meaning), 500);
        assert_string_equal(meaning, strerror(errors[i]));
    }
    assert_int_equal(status_of_error(-12345, &meaning), 500); /* one that does not exist */
    assert_non_null(meaning);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_in_use_has_its_name),
        cmocka_unit_test(errors_become_statuses),
        cmocka_unit_test(every_error_has_a_meaning_of_its_own),
        cmocka_unit_test(other_errors_are_named_by_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
