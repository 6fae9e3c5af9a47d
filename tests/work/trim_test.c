/*
 * Tests of pool_trim: each worker gives back its own memory, once however often
 * that is asked for before it gets to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/heap.h"
#include "work/loop.h"

#define WORKERS 3
#define CALLS_MAX 100

static pthread_t callers[CALLS_MAX];
static atomic_uint slots, calls; /* taken in `callers`; filled */
static atomic_uint flushes;
static atomic_bool held; /* a caller waits for its `go_on` */
static sem_t go_on;
int mallctl(const char *name, void *old, size_t *old_bytes, void *new, size_t new_bytes);

/* In place of jemalloc's. */
int mallctl(const char *name, void *old, size_t *old_bytes, void *new, size_t new_bytes)
{
    assert_true(old == NULL && old_bytes == NULL && new == NULL &&new_bytes == 0);
    if (strcmp(name, "thread.tcache.flush") == 0) {
        atomic_fetch_add(&flushes, 1);
        return 0;
    }
    assert_string_equal(name, "arena.4096.purge"); /* of all of them */
    unsigned call = atomic_fetch_add(&slots, 1);
    assert_true(call < CALLS_MAX);
    assert_int_not_equal(atomic_load(&flushes), call); /* its own is before */
    callers[call] = pthread_self();
    atomic_fetch_add(&calls, 1);
    if (atomic_load(&held))
        while (sem_wait(&go_on) != 0)
            ;
    return 0;
}

static void wait_for(const atomic_uint *counter, unsigned count)
{
    struct timespec begin, now;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    while (atomic_load(counter) < count) {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        assert_true((now.tv_sec - begin.tv_sec) * 1000 < LOST_MS);
        (void)sched_yield();
    }
}

static void trim(struct fixture *fixture)
{
    pool_trim(fixture->pool);
    pool_wake(fixture->pool);
}

static int set_up_trim(void **state)
{
    slots = calls = flushes = 0;
    held = false;
    return set_up(state) != 0 || sem_init(&go_on, 0, 0) != 0;
}

static void the_calling_thread_trims_its_heap(void **state)
{
    (void)state;
    heap_trim();
    assert_int_equal(flushes, 1);
    assert_int_equal(calls, 1);
    assert_true(pthread_equal(callers[0], pthread_self()));
}

static void each_worker_trims_its_own_heap_and_wakes_for_it(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, WORKERS, 4, 4);
    for (unsigned round = 1; round <= 10; round++) {
        trim(fixture);
        wait_for(&calls, round * WORKERS);
        for (unsigned i = 0; i < WORKERS; i++) {
            pthread_t caller = callers[(round - 1) * WORKERS + i];
            assert_false(pthread_equal(caller, pthread_self()));
            for (unsigned other = 0; other < i; other++)
                assert_false(pthread_equal(caller, callers[(round - 1) * WORKERS + other]));
        }
    }
    stop(fixture);
    assert_int_equal(calls, 10 * WORKERS);
}

/* More often than its ring has room. */
static void a_busy_worker_is_asked_once(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 2, 1);
    held = true;
    trim(fixture);
    wait_for(&calls, 1); /* it is in the first, and has not seen those that follow */
    for (unsigned i = 0; i < 1000; i++)
        trim(fixture);
    held = false;
    assert_int_equal(sem_post(&go_on), 0);
    wait_for(&calls, 2);
    stop(fixture);
    assert_int_equal(calls, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_calling_thread_trims_its_heap, set_up_trim, tear_down),
        cmocka_unit_test_setup_teardown(each_worker_trims_its_own_heap_and_wakes_for_it,
                                        set_up_trim, tear_down),
        cmocka_unit_test_setup_teardown(a_busy_worker_is_asked_once, set_up_trim, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
