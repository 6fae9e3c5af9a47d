/*
 * Tests of work/append_batches in a worker: which appends share a sync, which wait for it, and what
 * becomes of them if it fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "work/syncs.h"

#define GROUP 20

/* All that wait together are one sync; those that did not ask for it are answered before it. */
static void a_group_is_one_sync(void **state)
{
    struct fixture *fixture = *state;
    struct request *synced[GROUP], *unsynced[GROUP];
    start(fixture, 1, 3 * GROUP, 4);
    struct request *first = hold_in_sync(fixture);
    for (unsigned i = 0; i < GROUP; i++) {
        synced[i] = append_as(fixture, "p", 1, "1234", true);
        unsynced[i] = append_as(fixture, "p", i < GROUP / 2 ? 1 : 2, "1234", false);
    }
    assert_int_equal(sem_post(&data_syncs.released), 0);
    for (unsigned i = 0; i < GROUP; i++)
        assert_int_equal(finish(fixture, unsynced[i]), 0);
    assert_int_equal(finish(fixture, first), 0);
    await(&data_syncs); /* it is under way and does not come back */
    for (unsigned i = 0; i < GROUP; i++)
        assert_int_equal(synced[i]->answers, 0);
    assert_int_equal(sem_post(&data_syncs.released), 0);
    for (unsigned i = 0; i < GROUP; i++) {
        assert_int_equal(finish(fixture, synced[i]), 0);
        assert_int_equal(unsynced[i]->job.offset, i < GROUP / 2 ? 20 * (i + 1) : 20 * (i - 10));
        assert_int_equal(synced[i]->job.offset, 20 * (1 + GROUP / 2 + i));
        free_request(synced[i]);
        free_request(unsynced[i]);
    }
    assert_int_equal(count(&data_syncs), 2);
    free_request(first);
    stop(fixture);
    assert_int_equal(count(&data_syncs), 2);
    assert_int_equal(count(&name_syncs), 2); /* the prefix's directory and the root, once */
}

/* Every append asks for it then; all files have their names synced before the first answer. */
static void always_is_always(void **state)
{
    struct fixture *fixture = *state;
    fixture->sync_after_ms = 0;
    start(fixture, 1, 8, 2);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(appended(fixture, "p", i, false), 0);
        assert_int_equal(count(&data_syncs), i + 1);
        assert_int_equal(count(&file_syncs), 2 + 1); /* and MANIFEST */
        assert_int_equal(count(&name_syncs), 2);
    }
    assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "p")), 0);
    assert_int_equal(appended(fixture, "p", 0, true), 0);
    assert_int_equal(count(&file_syncs), 2 * (2 + 1));
    assert_int_equal(count(&name_syncs), 4);
    stop(fixture);
    assert_int_equal(count(&data_syncs), 7);
    assert_int_equal(atomic_load(&timed_waits), 0);
}

/* In particular EINTR, which is not tried again either. */
static void a_failed_sync_is_never_tried_again(void **state)
{
    static const int errors[] = {EIO, EINTR, ENOSPC, EROFS, EINVAL};
    struct fixture *fixture = *state;
    fixture->max_files = 0; /* and one of each worker */
    start(fixture, 1, 8, 1);
    off_t bytes = 0;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        assert_int_equal(appended(fixture, "p", 0, true), 0);
        assert_int_equal(appended(fixture, "p", 0, false), 0);
        bytes += 40;
        fail_from(&data_syncs, 1, errors[i]);
        struct request *failed = append_as(fixture, "p", 0, "1234", true);
        assert_int_equal(finish(fixture, failed), -errors[i]);
        assert_true(failed->job.sync); /* it was that which failed */
        free_request(failed);
        assert_int_equal(atomic_load(&notices), i + 1);
        assert_non_null(strstr(last_notice, "/p/append.0.raw: it could not be synced: "));
        assert_int_equal(bytes_of(fixture, "p/append.0.raw"), bytes);
        assert_int_equal(read_at(fixture, "p", 0, bytes), STORE_NOT_FOUND);

        fail_from(&data_syncs, 0, 0); /* the disk is well again, and it makes no difference */
        for (int again = 0; again < 3; again++) {
            struct request *refused = append_as(fixture, "p", 0, "1234", true);
            assert_int_equal(finish(fixture, refused), STORE_SYNC_REFUSED);
            assert_false(refused->job.sync);
            free_request(refused);
            assert_int_equal(appended(fixture, "p", 0, false), 0);
            bytes += 20;
            assert_int_equal(read_at(fixture, "p", 0, bytes - 20), 0);
            assert_int_equal(appended(fixture, "other", 0, true), 0); /* p's file is given up */
            assert_int_equal(open_files(fixture), 0);
        }
        assert_int_equal(bytes_of(fixture, "p/append.0.raw"), bytes);
        assert_int_equal(atomic_load(&notices), i + 1);
        assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "p")), 0);
    }
    assert_int_equal(appended(fixture, "p", 0, true), 0);
    stop(fixture);
}

/* There may be nobody to tell. */
static void a_failed_sync_without_a_log(void **state)
{
    struct fixture *fixture = *state;
    fixture->notice = NULL;
    start(fixture, 1, 8, 1);
    fail_from(&data_syncs, 1, EIO);
    assert_int_equal(appended(fixture, "p", 0, true), -EIO);
    assert_int_equal(appended(fixture, "p", 0, true), STORE_SYNC_REFUSED);
    stop(fixture);
    assert_int_equal(count(&data_syncs), 1);
}

/* A group of some that were written before the sync failed. */
static void a_group_fails_together(void **state)
{
    struct fixture *fixture = *state;
    struct request *synced[3], *unsynced;
    start(fixture, 1, 8, 4);
    struct request *first = hold_in_sync(fixture);
    for (unsigned i = 0; i < 3; i++)
        synced[i] = append_as(fixture, "p", 1, "1234", true);
    unsynced = append_as(fixture, "p", 1, "1234", false);
    atomic_store(&data_syncs.held, false);
    fail_from(&data_syncs, 1, EIO); /* not the one that is under way */
    assert_int_equal(sem_post(&data_syncs.released), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(finish(fixture, synced[i]), -EIO);
        assert_true(synced[i]->job.sync);
        free_request(synced[i]);
    }
    assert_int_equal(finish(fixture, unsynced), 0);
    assert_int_equal(finish(fixture, first), 0);
    assert_int_equal(unsynced->job.offset, 20);
    assert_int_equal(bytes_of(fixture, "p/append.1.raw"), 40);
    free_request(unsynced);
    free_request(first);
    assert_int_equal(count(&data_syncs), 1);
    stop(fixture);
}

/* With one that fails: it is reported once, and all that need it are refused from then on. */
static void fail_name(struct fixture *fixture, struct call *call, unsigned nth, bool fails)
{
    char prefix[16];
    bool of_root = call == &name_syncs && nth == 2;
    (void)snprintf(prefix, sizeof(prefix), "%s%u", call == &name_syncs ? "d" : "f", nth);
    atomic_store(&notices, 0);
    start(fixture, 2, 8, 3);
    fail_from(call, nth, EIO);
    struct request *request = append_as(fixture, prefix, 0, "1234", true);
    assert_int_equal(finish(fixture, request), fails ? -EIO : 0);
    assert_int_equal(request->job.sync, fails);
    free_request(request);
    assert_int_equal(atomic_load(&notices), fails);
    fail_from(call, 0, 0);
    for (unsigned bucket = 0; bucket < 3; bucket++) {
        request = append_as(fixture, prefix, bucket, "1234", true);
        assert_int_equal(finish(fixture, request), fails ? STORE_SYNC_REFUSED : 0);
        assert_false(request->job.sync);
        free_request(request);
        assert_int_equal(appended(fixture, prefix, bucket, false), 0);
        assert_int_equal(read_at(fixture, prefix, bucket, 0), 0);
    }
    assert_int_equal(atomic_load(&notices), fails);
    /* the error of the directory is forgotten with the prefix, that of the root never */
    assert_int_equal(appended(fixture, "q", 0, true), of_root ? STORE_SYNC_REFUSED : 0);
    struct request *closer = close_prefix(fixture, prefix);
    struct request *behind = append_as(fixture, prefix, 0, "1234", true);
    assert_int_equal(finish_and_free(fixture, closer), 0);
    assert_int_equal(finish_and_free(fixture, behind), of_root ? STORE_SYNC_REFUSED : 0);
    stop(fixture);
    root_close(fixture->root);
    assert_int_equal(root_open(fixture->directory, &fixture->root), 0);
}

/* The Nth sync of a name fails, of a file or a directory, for N = 1, 2, ... until all are through.
 */
static void names_that_cannot_be_synced(void **state)
{
    static const struct {
        struct call *call;
        unsigned calls;
    } kinds[] = {{&file_syncs, 3 + 1}, {&name_syncs, 2}};
    for (size_t kind = 0; kind < 2; kind++)
        for (unsigned nth = 1; nth <= kinds[kind].calls + 1; nth++)
            fail_name(*state, kinds[kind].call, nth, nth <= kinds[kind].calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SYNC_TEST(a_group_is_one_sync),
        SYNC_TEST(always_is_always),
        SYNC_TEST(a_failed_sync_is_never_tried_again),
        SYNC_TEST(a_failed_sync_without_a_log),
        SYNC_TEST(a_group_fails_together),
        SYNC_TEST(names_that_cannot_be_synced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
