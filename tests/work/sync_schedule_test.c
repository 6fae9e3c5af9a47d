/*
 * Tests of work/sync_schedule in a worker: how many syncs there are and when, and what becomes of
 * one that fails in the background.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "work/syncs.h"

static void never_is_never(void **state)
{
    struct fixture *fixture = *state;
    fixture->max_files = 0; /* and one of each worker */
    start(fixture, 1, 8, 2);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(appended(fixture, i % 2 ? "p" : "q", i, false), 0);
    assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "p")), 0);
    stop(fixture);
    assert_int_equal(count(&data_syncs), 0);
    assert_int_equal(count(&name_syncs), 0);
    assert_int_equal(atomic_load(&timed_waits), 0);
}

static void an_interval_syncs_once_and_then_sleeps(void **state)
{
    struct fixture *fixture = *state;
    fixture->sync_after_ms = 1;
    start(fixture, 1, 8, 4);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned bucket = 0; bucket < 4; bucket++)
            assert_int_equal(appended(fixture, "p", bucket, false), 0);
        for (unsigned bucket = 0; bucket < 4; bucket++)
            await(&data_syncs);
        assert_int_equal(count(&data_syncs), 4 * (round + 1));
    }
    unsigned waits = atomic_load(&timed_waits);
    for (unsigned i = 0; i < 10; i++) {
        forget(&sleeps);
        assert_int_equal(read_at(fixture, "p", 0, 0), 0);
        await_post(&sleeps); /* with nothing to wake it but us */
    }
    assert_int_equal(atomic_load(&timed_waits), waits);
    assert_true(waits > 0);
    assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "p")), 0);
    stop(fixture);
    assert_int_equal(count(&data_syncs), 4 * 20);
}

/* What is appended after a bucket's time has come gets an interval of its own. */
static void every_interval_is_a_whole_one(void **state)
{
    struct fixture *fixture = *state;
    fixture->sync_after_ms = HOUR_MS;
    start(fixture, 1, 8, 4);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned bucket = 0; bucket < 4; bucket++)
            assert_int_equal(appended(fixture, "p", bucket, false), 0);
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(read_at(fixture, "p", 0, 0), 0);
        assert_int_equal(count(&data_syncs), 4 * round);
        atomic_fetch_add(&hours, 1);
        assert_int_equal(read_at(fixture, "p", 0, 0), 0); /* wakes it */
        for (unsigned bucket = 0; bucket < 4; bucket++)
            await(&data_syncs);
        assert_int_equal(count(&data_syncs), 4 * (round + 1));
    }
    stop(fixture);
    assert_int_equal(count(&data_syncs), 4 * 3);
}

/* A sync that was asked for is the one that was promised. */
static void an_interval_and_a_request_are_one_sync(void **state)
{
    struct fixture *fixture = *state;
    fixture->sync_after_ms = HOUR_MS;
    start(fixture, 1, 8, 4);
    for (unsigned bucket = 0; bucket < 4; bucket++)
        assert_int_equal(appended(fixture, "p", bucket, false), 0);
    assert_int_equal(count(&data_syncs), 0);
    assert_int_equal(count(&name_syncs), 0);
    static const unsigned order[] = {1, 3, 0};
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(appended(fixture, "p", order[i], true), 0);
    assert_int_equal(count(&data_syncs), 3);
    assert_int_equal(count(&file_syncs), 4 + 1); /* all and MANIFEST, before the first reply */
    assert_int_equal(count(&name_syncs), 2);
    stop(fixture);
    assert_int_equal(count(&data_syncs), 4); /* the one that was left */
    assert_int_equal(atomic_load(&notices), 0);
}

static void files_are_synced_before_they_are_closed(void **state)
{
    struct fixture *fixture = *state;
    fixture->sync_after_ms = HOUR_MS;
    fixture->max_files = 0; /* and one of each worker */
    start(fixture, 1, 8, 2);
    assert_int_equal(appended(fixture, "p", 0, false), 0);
    assert_int_equal(appended(fixture, "p", 0, false), 0);
    assert_int_equal(count(&data_syncs), 0);
    assert_int_equal(appended(fixture, "q", 0, false), 0); /* takes the descriptor of p's */
    assert_int_equal(open_files(fixture), 0);
    assert_int_equal(count(&data_syncs), 1);
    assert_int_equal(read_at(fixture, "p", 0, 0), 0);
    assert_int_equal(count(&data_syncs), 2);
    assert_int_equal(appended(fixture, "p", 1, false), 0);
    assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "p")), 0);
    assert_int_equal(count(&data_syncs), 3);
    assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "q")), 0);
    assert_int_equal(count(&data_syncs), 3);
    assert_int_equal(count(&file_syncs), 2 * (2 + 1)); /* with MANIFEST, once for each prefix */
    assert_int_equal(count(&name_syncs), 2 + 2);
    stop(fixture);
    assert_int_equal(count(&data_syncs), 3);
}

/* The reply of a close names the file. */
static void assert_close_fails(struct fixture *fixture, const char *prefix, unsigned bucket,
                               int error)
{
    struct request *closer = close_prefix(fixture, prefix);
    assert_int_equal(finish(fixture, closer), error);
    assert_true(closer->job.sync);
    assert_true(closer->job.has_bucket);
    assert_int_equal(closer->job.bucket, bucket);
    free_request(closer);
}

/* In the background, without a free descriptor, at close, at the end: the log has a line. */
static void an_interval_whose_sync_fails(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned how = 0; how < 4; how++) {
        atomic_store(&notices, 0);
        fixture->sync_after_ms = how == 0 ? 1 : HOUR_MS;
        fixture->max_files = 0; /* and one of each worker */
        start(fixture, 1, 8, 1);
        fail_from(&data_syncs, 1, EIO);
        forget(&data_syncs.entered);
        assert_int_equal(appended(fixture, "p", 0, false), 0);
        if (how == 0)
            await(&data_syncs);
        if (how == 1)
            assert_int_equal(appended(fixture, "q", 0, false), 0);
        if (how < 2) {
            fail_from(&data_syncs, 0, 0);
            for (unsigned again = 0; again < 2; again++) {
                assert_int_equal(appended(fixture, "p", 0, false), STORE_SYNC_REFUSED);
                assert_int_equal(appended(fixture, "p", 0, true), STORE_SYNC_REFUSED);
                assert_int_equal(read_at(fixture, "p", 0, 0), 0);
                assert_int_equal(appended(fixture, "q", 0, true), 0);
                assert_int_equal(open_files(fixture), 0);
            }
        }
        if (how == 2)
            assert_close_fails(fixture, "p", 0, -EIO);
        if (how < 3)
            assert_int_equal(atomic_load(&notices), 1);
        if (how == 2) {
            fail_from(&data_syncs, 0, 0);
            assert_int_equal(appended(fixture, "p", 0, true), 0);
        }
        fixture->stop_error = how == 3 ? -EIO : 0;
        stop(fixture);
        assert_int_equal(atomic_load(&notices), 1);
        assert_non_null(strstr(last_notice, "/p/append.0.raw: appends that were answered could not "
                                            "be synced: Input/output error"));
        fail_from(&data_syncs, 0, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SYNC_TEST(never_is_never),
        SYNC_TEST(an_interval_syncs_once_and_then_sleeps),
        SYNC_TEST(every_interval_is_a_whole_one),
        SYNC_TEST(an_interval_and_a_request_are_one_sync),
        SYNC_TEST(files_are_synced_before_they_are_closed),
        SYNC_TEST(an_interval_whose_sync_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
