/*
 * Tests of what is promised about the disk: how many syncs there are and when, who waits for them,
 * and what becomes of one that fails. This program brings its own fdatasync, fsync,
 * sem_wait, sem_clockwait and clock, which count, wait, fail or hurry as the test wishes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/error.h"
#include "work/loop.h"

#define HOUR_MS (60 * 60 * 1000)
#define WAIT_SECONDS 60

/* One kind of call. The Nth and all after it fail with `error`, if that is not 0. */
struct call {
    atomic_uint count;
    atomic_uint nth;
    atomic_int error;
    atomic_bool held;
    sem_t entered, released; /* `entered` counts all calls, `released` those that may go on */
};

static struct call data_syncs, name_syncs;
static atomic_uint timed_waits;
static sem_t sleeps;      /* one for each wait without an end */
static atomic_uint hours; /* that have gone by, over those of the real clock */
static atomic_uint notices;
static char last_notice[8192];

static int pass(struct call *call)
{
    unsigned number = atomic_fetch_add(&call->count, 1) + 1;
    int error = number >= atomic_load(&call->nth) ? atomic_load(&call->error) : 0;
    bool held = atomic_load(&call->held);
    (void)sem_post(&call->entered);
    while (held && sem_wait(&call->released) != 0)
        ;
    errno = error;
    return error != 0 ? -1 : 0;
}

int fdatasync(int fd)
{
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    return pass(&data_syncs);
}

int fsync(int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_true(S_ISDIR(status.st_mode));
    return pass(&name_syncs);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int (*real)(clockid_t, struct timespec *);
    *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_MONOTONIC)
        now->tv_sec += (time_t)atomic_load(&hours) * 60 * 60;
    return result;
}

/* Time is only looked at when it returns, so an hour that is added meanwhile wakes nobody. */
int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until)
{
    int (*real)(sem_t *, clockid_t, const struct timespec *);
    *(void **)&real = dlsym(RTLD_NEXT, "sem_clockwait");
    atomic_fetch_add(&timed_waits, 1);
    return real(semaphore, clock, until);
}

int sem_wait(sem_t *semaphore)
{
    int (*real)(sem_t *);
    *(void **)&real = dlsym(RTLD_NEXT, "sem_wait");
    (void)sem_post(&sleeps);
    return real(semaphore);
}

static void on_notice(const char *line)
{
    (void)snprintf(last_notice, sizeof(last_notice), "%s", line);
    atomic_fetch_add(&notices, 1);
}

static void reset(struct call *call)
{
    atomic_store(&call->count, 0);
    atomic_store(&call->nth, 0);
    atomic_store(&call->error, 0);
    atomic_store(&call->held, false);
    assert_int_equal(sem_init(&call->entered, 0, 0), 0);
    assert_int_equal(sem_init(&call->released, 0, 0), 0);
}

static void fail_from(struct call *call, unsigned nth, int error)
{
    atomic_store(&call->count, 0);
    atomic_store(&call->nth, nth);
    atomic_store(&call->error, error);
}

static void await_post(sem_t *semaphore)
{
    struct timespec until;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_sec += WAIT_SECONDS;
    assert_int_equal(sem_timedwait(semaphore, &until), 0);
}

/* Until there is one more call than was waited for yet. */
static void await(struct call *call)
{
    await_post(&call->entered);
}

static void forget(sem_t *semaphore)
{
    while (sem_trywait(semaphore) == 0)
        ;
}

static unsigned count(struct call *call)
{
    return atomic_load(&call->count);
}

static int sync_set_up(void **state)
{
    reset(&data_syncs);
    reset(&name_syncs);
    atomic_store(&timed_waits, 0);
    atomic_store(&hours, 0);
    assert_int_equal(sem_init(&sleeps, 0, 0), 0);
    atomic_store(&notices, 0);
    last_notice[0] = '\0';
    int error = set_up(state);
    struct fixture *fixture = *state;
    fixture->notice = on_notice;
    return error;
}

static struct request *append_as(struct fixture *fixture, const char *prefix, uint64_t id_hash,
                                 const char *value, bool sync)
{
    struct request *request = new_request(fixture, JOB_APPEND, id_hash);
    assert_int_equal(evbuffer_add(request->job.value, value, strlen(value)), 0);
    request->job.sync = sync;
    return submit(fixture, prefix, request);
}

static int appended(struct fixture *fixture, const char *prefix, uint64_t id_hash, bool sync)
{
    return finish_and_free(fixture, append_as(fixture, prefix, id_hash, "1234", sync));
}

static int read_at(struct fixture *fixture, const char *prefix, uint64_t id_hash, int64_t offset)
{
    return finish_and_free(fixture, get(fixture, prefix, id_hash, offset));
}

static off_t bytes_of(const struct fixture *fixture, const char *name)
{
    struct stat status;
    assert_int_equal(stat(temporary_path(fixture->directory, name), &status), 0);
    return status.st_size;
}

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

/* The worker is in the sync of an append to bucket 1: all that comes now will be one drain. */
static struct request *hold_in_sync(struct fixture *fixture)
{
    assert_int_equal(appended(fixture, "p", 3, false), 0); /* opens the prefix */
    atomic_store(&data_syncs.held, true);
    struct request *request = append_as(fixture, "p", 1, "1234", true);
    pool_wake(fixture->pool);
    await(&data_syncs);
    return request;
}

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

/* Every append asks for it then; each bucket has its name synced before its first answer. */
static void always_is_always(void **state)
{
    struct fixture *fixture = *state;
    fixture->sync_after_ms = 0;
    start(fixture, 1, 8, 2);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(appended(fixture, "p", i, false), 0);
        assert_int_equal(count(&data_syncs), i + 1);
        assert_int_equal(count(&name_syncs), i == 0 ? 2 : 4);
    }
    assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "p")), 0);
    assert_int_equal(appended(fixture, "p", 0, true), 0);
    assert_int_equal(count(&name_syncs), 6);
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

/* The Nth sync of a directory fails, for N = 1, 2, ... until all are through. */
static void names_that_cannot_be_synced(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned nth = 1; nth <= 3; nth++) {
        char prefix[16];
        (void)snprintf(prefix, sizeof(prefix), "p%u", nth);
        start(fixture, 2, 8, 2);
        fail_from(&name_syncs, nth, EIO);
        struct request *request = append_as(fixture, prefix, 0, "1234", true);
        assert_int_equal(finish(fixture, request), nth <= 2 ? -EIO : 0);
        assert_int_equal(request->job.sync, nth <= 2);
        free_request(request);
        fail_from(&name_syncs, 0, 0);
        assert_int_equal(appended(fixture, prefix, 0, true), nth <= 2 ? STORE_SYNC_REFUSED : 0);
        /* the other file of that directory is not better off: nobody was told that it is not there
         */
        assert_int_equal(appended(fixture, prefix, 1, true), nth <= 2 ? -EIO : 0);
        assert_int_equal(appended(fixture, prefix, 1, false), 0);
        /* the error of the directory is forgotten with the prefix, that of the root never */
        assert_int_equal(appended(fixture, "q", 0, true), nth == 2 ? -EIO : 0);
        struct request *closer = close_prefix(fixture, prefix);
        struct request *behind = append_as(fixture, prefix, 0, "1234", true);
        assert_int_equal(finish_and_free(fixture, closer), 0);
        assert_int_equal(finish_and_free(fixture, behind), nth == 2 ? -EIO : 0);
        stop(fixture);
        root_close(fixture->root);
        assert_int_equal(root_open(fixture->directory, &fixture->root), 0);
    }
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
    assert_int_equal(count(&name_syncs), 8); /* not left to the end of the interval */
    static const unsigned order[] = {1, 3, 0};
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(appended(fixture, "p", order[i], true), 0);
    assert_int_equal(count(&data_syncs), 3);
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
    stop(fixture);
    assert_int_equal(count(&data_syncs), 3);
}

/* In the background, for want of a descriptor, at close, at the end: it is told in the log. */
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
            assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "p")), 0);
        if (how < 3)
            assert_int_equal(atomic_load(&notices), 1);
        if (how == 2) {
            fail_from(&data_syncs, 0, 0);
            assert_int_equal(appended(fixture, "p", 0, true), 0);
        }
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
        cmocka_unit_test_setup_teardown(never_is_never, sync_set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_group_is_one_sync, sync_set_up, tear_down),
        cmocka_unit_test_setup_teardown(always_is_always, sync_set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_sync_is_never_tried_again, sync_set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_sync_without_a_log, sync_set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_group_fails_together, sync_set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_that_cannot_be_synced, sync_set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_interval_syncs_once_and_then_sleeps, sync_set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(every_interval_is_a_whole_one, sync_set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_interval_and_a_request_are_one_sync, sync_set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(files_are_synced_before_they_are_closed, sync_set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_interval_whose_sync_fails, sync_set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
