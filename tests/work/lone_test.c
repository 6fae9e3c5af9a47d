/*
 * Tests of a client alone, for which worker and loop look on before they sleep: who looks on is
 * not late with a sync, nobody does on a single core, and it is over with the second client. This
 * program brings its own fdatasync, which counts and remembers how much was synced, its own clock,
 * which hurries, and its own sched_getaffinity and sched_yield.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#include "work/loop.h"

#define HOUR_MS (60 * 60 * 1000)
#define RECORD_BYTES 20
#define MANY 100 /* far more jobs in a row than make a client a lone one */

static atomic_uint
    looks_on; /* rounds of looking on, of the worker: it offers its core after each */
static atomic_uint syncs;
static atomic_llong synced_bytes; /* of the file, at its last sync */
static atomic_uint hours;         /* that have gone by, over those of the real clock */
static int cores;                 /* of this machine, or -errno */

int sched_yield(void)
{
    (void)atomic_fetch_add(&looks_on, 1);
    return 0;
}

int sched_getaffinity(pid_t process, size_t bytes, cpu_set_t *set)
{
    assert_int_equal(process, 0);
    if (cores < 0) {
        errno = -cores;
        return -1;
    }
    CPU_ZERO_S(bytes, set);
    for (int core = 0; core < cores; core++)
        CPU_SET_S((size_t)core, bytes, set);
    return 0;
}

int fdatasync(int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    (void)atomic_fetch_add(&syncs, 1);
    atomic_store(&synced_bytes, status.st_size);
    return 0;
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

static int lone_set_up(void **state)
{
    atomic_store(&looks_on, 0);
    atomic_store(&syncs, 0);
    atomic_store(&synced_bytes, 0);
    atomic_store(&hours, 0);
    cores = 2;
    return set_up(state);
}

/* One of `client`, which waits for its answer. */
static void append_of(struct fixture *fixture, const void *client)
{
    struct request *request = new_request(fixture, JOB_APPEND, 0);
    assert_int_equal(evbuffer_add(request->job.value, "1234", 4), 0);
    request->job.client = client;
    assert_int_equal(finish_and_free(fixture, submit(fixture, "p", request)), 0);
}

/* Bounded by the time-out of the test. */
static void await_look(void)
{
    while (atomic_load(&looks_on) == 0)
        continue;
}

static void only_a_client_alone_is_looked_for(void **state)
{
    static const char clients[2];
    struct fixture *fixture = *state;
    start(fixture, 1, 8, 1);
    for (unsigned i = 0; i < MANY; i++)
        append_of(fixture, &clients[i % 2]);
    assert_int_equal(atomic_load(&looks_on), 0);
    for (unsigned i = 0; i < MANY; i++)
        append_of(fixture, &clients[0]);
    await_look(); /* at the latest when no more come */
    append_of(fixture, &clients[1]);
    append_of(fixture, &clients[0]); /* the worker looks on for no one now */
    atomic_store(&looks_on, 0);
    for (unsigned i = 0; i < MANY; i++)
        append_of(fixture, &clients[i % 2]);
    stop(fixture);
    assert_int_equal(atomic_load(&looks_on), 0);
}

/* The other side could not do anything meanwhile; nor if it is not known how many there are. */
static void nobody_looks_on_with_a_single_core(void **state)
{
    static const int numbers[] = {1, -EPERM};
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 2; i++) {
        cores = numbers[i];
        start(fixture, 1, 8, 1);
        for (unsigned n = 0; n < MANY; n++)
            append_of(fixture, fixture);
        stop(fixture);
        assert_int_equal(atomic_load(&looks_on), 0);
    }
}

/* The worker syncs after the answers of a turn, so at the latest before it takes the next job. */
static void a_sync_comes_in_time_while_it_goes_on(void **state)
{
    struct fixture *fixture = *state;
    fixture->sync_after_ms = HOUR_MS;
    start(fixture, 1, 8, 1);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < MANY; i++)
            append_of(fixture, fixture);
        assert_int_equal(atomic_load(&syncs), round);
        (void)atomic_fetch_add(&hours, 1);
        append_of(fixture, fixture);
        append_of(fixture, fixture);
        assert_int_equal(atomic_load(&syncs), round + 1);
    }
    await_look();
    stop(fixture);
    assert_int_equal(atomic_load(&syncs), 11);
}

/* Nobody wakes the worker for it, whether it looks on at first or sleeps. */
static void a_sync_comes_in_time_when_it_stops(void **state)
{
    struct fixture *fixture = *state;
    long long bytes = 0;
    fixture->sync_after_ms = 1;
    start(fixture, 1, 8, 1);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i <= MANY; i++, bytes += RECORD_BYTES)
            append_of(fixture, fixture);
        while (atomic_load(&synced_bytes) != bytes)
            continue; /* bounded by the time-out of the test */
    }
    await_look();
    unsigned before = atomic_load(&syncs);
    stop(fixture);
    assert_int_equal(atomic_load(&syncs), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lone_set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_a_client_alone_is_looked_for),
        TEST(nobody_looks_on_with_a_single_core),
        TEST(a_sync_comes_in_time_while_it_goes_on),
        TEST(a_sync_comes_in_time_when_it_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
