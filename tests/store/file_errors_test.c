/*
 * Tests of store/bucket, store/tail and store/batch: every call that opens,
 * appends, reads, lets go of a file or takes it again fails once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/error.h"
#include "store/every_call.h"

/* By a call that never fails here. */
static int64_t file_bytes(const struct one_bucket *fixture)
{
    struct stat status;
    assert_int_equal(lstat(one_bucket_path(fixture), &status), 0);
    return status.st_size;
}

static void start_anew(struct one_bucket *fixture, unsigned round)
{
    (void)round;
    one_bucket_reopen(fixture, true);
}

/* A look at the lock that has failed counts for good. */
static void take_lock_anew(struct one_bucket *fixture)
{
    if (root_loss(fixture->root) == NULL)
        return;
    root_close(fixture->root);
    assert_int_equal(root_open(fixture->directory, &fixture->root), 0);
}

static void let_go(struct one_bucket *fixture)
{
    bucket_close(fixture->bucket);
    fixture->bucket = NULL;
}

/* A record that is the checkpoint, and the beginning of another. */
static void tear_file(struct one_bucket *fixture, unsigned round)
{
    take_lock_anew(fixture);
    start_anew(fixture, round);
    int64_t offset = one_bucket_append(fixture, "whole", 5);
    int fd = open(one_bucket_path(fixture), O_WRONLY | O_APPEND);
    assert_true(fd >= 0);
    tail_write_checkpoint(fd, offset, fixture->batch.records[0].header);
    assert_int_equal(write(fd, "torn", 4), 4);
    assert_int_equal(close(fd), 0);
    let_go(fixture);
}

static int open_torn(struct one_bucket *fixture, unsigned round)
{
    (void)round;
    int error = bucket_open(fixture->root, "p", 3, true, &fixture->bucket);
    if (error != 0)
        return error;
    assert_int_equal(bucket_tail(fixture->bucket) % (RECORD_HEADER_BYTES + 5), 0);
    int64_t more = file_bytes(fixture) - bucket_tail(fixture->bucket);
    assert_int_equal(more, bucket_broken(fixture->bucket) ? 4 : 0);
    let_go(fixture);
    return 0;
}

/* The descriptor is gone all the same. */
static void closing_fails(void **state)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT, EINTR};
    struct one_bucket *fixture = *state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        failing_arm(&fail_close, 1, errors[i]);
        assert_int_equal(bucket_suspend(fixture->bucket), -errors[i]);
        assert_true(failing_disarm(&fail_close));
        assert_true(bucket_suspended(fixture->bucket));
        assert_int_equal(bucket_resume(fixture->bucket, fixture->root, "p", 3), 0);
        failing_arm(&fail_close, 1, errors[i]);
        assert_int_equal(bucket_close(fixture->bucket), -errors[i]);
        assert_true(failing_disarm(&fail_close));
        assert_int_equal(bucket_open(fixture->root, "p", 3, true, &fixture->bucket), 0);
    }
    assert_int_equal(bucket_suspend(fixture->bucket), 0);
    failing_arm(&fail_close, 1, EIO);
    assert_int_equal(bucket_close(fixture->bucket), 0); /* it has no descriptor to close */
    assert_false(failing_disarm(&fail_close));
    assert_int_equal(bucket_open(fixture->root, "p", 3, true, &fixture->bucket), 0);
}

static void opening_a_torn_file(void **state)
{
    struct one_bucket *fixture = *state;
    let_go(fixture);
    every_call_fails_once(fixture, &(struct operation){.prepare = tear_file,
                                                       .run = open_torn,
                                                       .told = "calloc openat fstat pread",
                                                       .ignored = "close pread ftruncate "
                                                                  "fgetxattr statx"});
}

/* The server that has the lock now may have written there. */
static void nothing_is_cut_off_without_the_lock(void **state)
{
    struct one_bucket *fixture = *state;
    (void)one_bucket_append(fixture, "value", 5);
    int64_t bytes = file_bytes(fixture);
    assert_int_equal(unlink(temporary_path(fixture->directory, ROOT_LOCK_NAME)), 0);
    bucket_rollback(fixture->bucket, 0); /* after a failed sync */
    assert_true(bucket_broken(fixture->bucket));
    assert_int_equal(file_bytes(fixture), bytes);
    assert_string_equal(root_loss(fixture->root), "it was removed");
    let_go(fixture);
    root_close(fixture->root);
    assert_int_equal(root_open(fixture->directory, &fixture->root), 0);
    tear_file(fixture, 0);
    bytes = file_bytes(fixture);
    assert_int_equal(unlink(temporary_path(fixture->directory, ROOT_LOCK_NAME)), 0);
    assert_int_equal(bucket_open(fixture->root, "p", 3, true, &fixture->bucket), 0);
    assert_true(bucket_broken(fixture->bucket));
    assert_int_equal(file_bytes(fixture), bytes);
    let_go(fixture);
    root_close(fixture->root);
    assert_int_equal(root_open(fixture->directory, &fixture->root), 0);
    assert_int_equal(bucket_open(fixture->root, "p", 3, true, &fixture->bucket), 0);
    assert_false(bucket_broken(fixture->bucket));
    assert_int_equal(file_bytes(fixture), bytes - 4);
}

static void end_of_the_file_is_read_in_spite_of_interruptions(void **state)
{
    struct one_bucket *fixture = *state;
    bool failed = true;
    for (int nth = 1; failed; nth++) {
        let_go(fixture);
        tear_file(fixture, 0);
        failing_arm(&fail_pread64, nth, EINTR);
        assert_int_equal(bucket_open(fixture->root, "p", 3, true, &fixture->bucket), 0);
        failed = failing_disarm(&fail_pread64);
        assert_true(failed || nth > 2);
        assert_int_equal(bucket_tail(fixture->bucket), nth * (RECORD_HEADER_BYTES + 5));
        assert_int_equal(file_bytes(fixture), nth * (RECORD_HEADER_BYTES + 5));
    }
}

/* Its length was asked for before. */
static void file_that_gets_shorter_while_its_end_is_looked_for(void **state)
{
    struct one_bucket *fixture = *state;
    struct tail found;
    int64_t bytes = RECORD_HEADER_BYTES + 5;
    one_bucket_append(fixture, "whole", 5);
    int fd = open(one_bucket_path(fixture), O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(tail_find(fd, bytes, &found), 0);
    assert_int_equal(found.state, TAIL_WHOLE);
    for (int64_t lost = 1; lost < 3 * RECORD_HEADER_BYTES; lost++) {
        assert_int_equal(tail_find(fd, bytes + lost, &found), STORE_CHANGED);
        assert_int_equal(found.whole, bytes);
    }
    assert_int_equal(close(fd), 0);
}

static int append_one(struct one_bucket *fixture, unsigned round)
{
    (void)round;
    int64_t tail = bucket_tail(fixture->bucket);
    batch_reset(&fixture->batch);
    struct iovec *part = batch_add(&fixture->batch, 1, 5, 1);
    if (part == NULL)
        return -ENOMEM;
    *part = (struct iovec){(void *)(uintptr_t) "value", 5};
    int error = bucket_append(fixture->bucket, &fixture->batch);
    assert_int_equal(fixture->batch.records[0].error, error);
    assert_int_equal(bucket_tail(fixture->bucket),
                     error == 0 ? tail + RECORD_HEADER_BYTES + 5 : tail);
    assert_int_equal(file_bytes(fixture), bucket_tail(fixture->bucket));
    return error;
}

/* Without memory for the batch, and with a bucket whose next record is a checkpoint. */
static void start_a_batch(struct one_bucket *fixture, unsigned round)
{
    batch_free(&fixture->batch);
    assert_int_equal(truncate(one_bucket_path(fixture), 0), 0);
    start_anew(fixture, round);
}

static void appending(void **state)
{
    every_call_fails_once(*state, &(struct operation){.prepare = start_a_batch,
                                                      .run = append_one,
                                                      .told = "reallocarray statx pwritev",
                                                      .ignored = "fsetxattr"});
}

#define MANY 1000 /* two parts each: more than one call takes */

/* As a whole or not at all. */
static int append_list(struct one_bucket *fixture, unsigned round)
{
    static const struct value_list_content content = {
        .count = MANY, .last_bytes = 1, .value_bytes = MANY};
    static char body[5 * MANY];
    static uint64_t places[MANY];
    (void)round;
    int64_t tail = bucket_tail(fixture->bucket);
    for (size_t i = 0; i < MANY; i++)
        memcpy(body + 5 * i, "\1\0\0\0v", 5);
    batch_reset(&fixture->batch);
    struct iovec *part = batch_add_list(&fixture->batch, 1, &content, places, 1);
    if (part == NULL)
        return -ENOMEM;
    *part = (struct iovec){body, sizeof(body)};
    int error = bucket_append(fixture->bucket, &fixture->batch);
    assert_int_equal(fixture->batch.records[0].error, error);
    assert_int_equal(bucket_tail(fixture->bucket),
                     error == 0 ? tail + MANY * (RECORD_HEADER_BYTES + 1) : tail);
    assert_int_equal(file_bytes(fixture), bucket_tail(fixture->bucket));
    return error;
}

static void appending_a_list(void **state)
{
    every_call_fails_once(*state, &(struct operation){.prepare = start_a_batch,
                                                      .run = append_list,
                                                      .told = "reallocarray statx pwritev",
                                                      .ignored = "fsetxattr"});
}

static int read_one(struct one_bucket *fixture, unsigned round)
{
    (void)round;
    char value[3];
    struct bucket_value found;
    int error = bucket_read(fixture->bucket, 0, value, sizeof(value), false, &found);
    if (error == 0) {
        assert_int_equal(found.value_bytes, 5);
        assert_int_equal(found.read_bytes, 3);
        assert_memory_equal(value, "val", 3);
        error = bucket_read_more(fixture->bucket, 0, 3, value, 2, false);
    }
    if (error == 0)
        assert_memory_equal(value, "ue", 2);
    return error;
}

static void reading(void **state)
{
    struct one_bucket *fixture = *state;
    one_bucket_append(fixture, "value", 5);
    every_call_fails_once(fixture,
                          &(struct operation){.run = read_one, .told = "preadv2", .ignored = ""});
}

static int resume(struct one_bucket *fixture, unsigned round)
{
    (void)round;
    int error = bucket_resume(fixture->bucket, fixture->root, "p", 3);
    assert_int_equal(bucket_suspended(fixture->bucket), error != 0);
    if (error != 0)
        return error;
    error = read_one(fixture, 0);
    bucket_suspend(fixture->bucket);
    return error;
}

static void resuming(void **state)
{
    struct one_bucket *fixture = *state;
    one_bucket_append(fixture, "value", 5);
    bucket_suspend(fixture->bucket);
    every_call_fails_once(
        fixture,
        &(struct operation){.run = resume, .told = "openat fstat preadv2", .ignored = "close"});
}

static void assert_stale(struct one_bucket *fixture)
{
    unsigned descriptors = open_descriptors();
    assert_int_equal(bucket_resume(fixture->bucket, fixture->root, "p", 3), STORE_CHANGED);
    assert_true(bucket_suspended(fixture->bucket));
    assert_int_equal(open_descriptors(), descriptors);
}

static void resuming_another_file(void **state)
{
    struct one_bucket *fixture = *state;
    char *path = strdup(one_bucket_path(fixture));
    assert_non_null(path);
    one_bucket_append(fixture, "value", 5);
    bucket_suspend(fixture->bucket);
    assert_int_equal(truncate(path, RECORD_HEADER_BYTES + 4), 0); /* shorter */
    assert_stale(fixture);
    assert_int_equal(truncate(path, RECORD_HEADER_BYTES + 5), 0);
    assert_int_equal(bucket_resume(fixture->bucket, fixture->root, "p", 3), 0);
    bucket_suspend(fixture->bucket);
    char *other = strdup(temporary_path(fixture->directory, "p/other"));
    assert_non_null(other);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(bucket_resume(fixture->bucket, fixture->root, "p", 3), STORE_NO_FILE);
    assert_true(bucket_suspended(fixture->bucket));
    assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0); /* of the same length */
    assert_int_equal(truncate(path, RECORD_HEADER_BYTES + 5), 0);
    assert_stale(fixture);
    assert_int_equal(rename(other, path), 0); /* the right one again */
    assert_int_equal(bucket_resume(fixture->bucket, fixture->root, "p", 3), 0);
    free(path);
    free(other);
}

/* What could not be cut back may be repaired only by opening anew. */
static void resuming_a_broken_bucket(void **state)
{
    struct one_bucket *fixture = *state;
    failing_arm(&fail_pwritev64, 1, ENOSPC);
    failing_arm(&fail_ftruncate64, 1, EIO);
    assert_int_equal(append_one(fixture, 0), -ENOSPC);
    assert_true(failing_disarm(&fail_pwritev64) && failing_disarm(&fail_ftruncate64));
    assert_true(bucket_broken(fixture->bucket));
    bucket_suspend(fixture->bucket);
    assert_stale(fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, one_bucket_set_up, one_bucket_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(closing_fails),
        TEST(opening_a_torn_file),
        TEST(nothing_is_cut_off_without_the_lock),
        TEST(end_of_the_file_is_read_in_spite_of_interruptions),
        TEST(file_that_gets_shorter_while_its_end_is_looked_for),
        TEST(appending),
        TEST(appending_a_list),
        TEST(reading),
        TEST(resuming),
        TEST(resuming_another_file),
        TEST(resuming_a_broken_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
