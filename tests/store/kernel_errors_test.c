/*
 * Tests of store/ with a kernel whose errors look like findings of the store's own: ext4 says
 * EUCLEAN, NFS ESTALE, a bad block is ENODATA... They are passed on as they are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "store/error.h"
#include "store/every_call.h"
#include "store/prefix_resolve.h"

static int read_waiting(struct one_bucket *fixture)
{
    return one_bucket_error(fixture, 0, 5, false);
}

static int read_cached(struct one_bucket *fixture)
{
    return one_bucket_error(fixture, 0, 5, true);
}

static int read_more(struct one_bucket *fixture)
{
    char buffer[4];
    return bucket_read_more(fixture->bucket, 0, 1, buffer, sizeof(buffer), false);
}

static int append_one(struct one_bucket *fixture)
{
    batch_reset(&fixture->batch);
    one_bucket_add(fixture, "more", 4);
    int error = bucket_append(fixture->bucket, &fixture->batch);
    assert_int_equal(fixture->batch.records[0].error, error);
    return error;
}

static int open_bucket(struct one_bucket *fixture)
{
    struct bucket *bucket = NULL;
    int error = bucket_open(fixture->root, "p", 3, true, &bucket);
    bucket_close(bucket);
    return error;
}

/* Without a checkpoint the first read is one whose error matters. */
static int open_without_checkpoint(struct one_bucket *fixture)
{
    (void)removexattr(one_bucket_path(fixture), "user.rochefort.record");
    return open_bucket(fixture);
}

static int suspend_and_resume(struct one_bucket *fixture)
{
    if (!bucket_suspended(fixture->bucket))
        bucket_suspend(fixture->bucket);
    return bucket_resume(fixture->bucket, fixture->root, "p", 3);
}

static int resolve(struct one_bucket *fixture)
{
    unsigned buckets;
    return prefix_resolve(fixture->root, "p", 4, true, &buckets);
}

static int resolve_new(struct one_bucket *fixture)
{
    unsigned buckets;
    static unsigned number;
    char name[16];
    (void)snprintf(name, sizeof(name), "new%u", number++);
    return prefix_resolve(fixture->root, name, 4, true, &buckets);
}

static int resolve_existing(struct one_bucket *fixture)
{
    unsigned buckets;
    return prefix_resolve(fixture->root, "p", 4, false, &buckets);
}

/* `meant` is not passed on: the call says with it what the store wants to know. The
 * `nth` of the calls fails. */
static const struct {
    int (*run)(struct one_bucket *fixture);
    struct failing *call;
    int nth, meant, finding;
} operations[] = {
    {read_waiting, &fail_preadv64v2, 1, 0, 0},
    {read_cached, &fail_preadv64v2, 1, EAGAIN, STORE_WOULD_BLOCK},
    {read_more, &fail_preadv64v2, 1, 0, 0},
    {append_one, &fail_pwritev64, 1, 0, 0},
    {append_one, &fail_statx, 1, ENOENT, STORE_NO_FILE},
    {open_bucket, &fail_openat64, 1, ENOENT, STORE_NO_FILE},
    {open_bucket, &fail_fstat64, 1, 0, 0},
    {open_bucket, &fail_fstat64, 2, 0, 0},
    {open_without_checkpoint, &fail_pread64, 1, 0, 0},
    {suspend_and_resume, &fail_openat64, 1, ENOENT, STORE_NO_FILE},
    {suspend_and_resume, &fail_fstat64, 1, 0, 0},
    {suspend_and_resume, &fail_fstat64, 2, 0, 0},
    {resolve_new, &fail_mkdirat, 1, 0, 0},
    {resolve_new, &fail_openat64, 2, 0, 0},  /* it was made */
    {resolve, &fail_openat64, 1, ENOENT, 0}, /* so it is made if it is missing */
    {resolve, &fail_readdir64, 1, 0, 0},
    {resolve_existing, &fail_openat64, 1, ENOENT, STORE_NO_PREFIX},
    {resolve_existing, &fail_readdir64, 1, 0, 0},
    {resolve_existing, &fail_fstat64, 1, ENOENT, STORE_NO_PREFIX}, /* it has just been deleted */
    {resolve_existing, &fail_fstat64, 2, 0, 0},                    /* of MANIFEST */
    {resolve_existing, &fail_pread64, 1, 0, 0},
    {resolve, &fail_fstat64, 1, ENOENT, 0}, /* it has just been deleted, so it is made */
};

static void errors_of_the_kernel_are_passed_on(void **state)
{
    static const int errors[] = {EUCLEAN,         ESTALE,      ENODATA, EBUSY,   EBADFD,
                                 ENOTRECOVERABLE, EMEDIUMTYPE, ENOENT,  EBADMSG, EAGAIN};
    struct one_bucket *fixture = *state;
    assert_int_equal(resolve(fixture), 0); /* completes the prefix */
    (void)one_bucket_append(fixture, "value", 5);
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        for (size_t j = 0; j < sizeof(errors) / sizeof(errors[0]); j++) {
            int wanted = errors[j] == operations[i].meant ? operations[i].finding : -errors[j];
            failing_arm(operations[i].call, operations[i].nth, errors[j]);
            int error = operations[i].run(fixture);
            assert_true(failing_disarm(operations[i].call));
            if (error != wanted)
                fail_msg("operation %zu: %s, not %s", i, store_error_text(error),
                         store_error_text(wanted));
            assert_int_equal(operations[i].run(fixture), 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(errors_of_the_kernel_are_passed_on, one_bucket_set_up,
                                        one_bucket_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
