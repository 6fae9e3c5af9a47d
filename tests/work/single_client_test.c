/*
 * Tests of work/single_client: who is taken for a single client, how often both sides spin for it
 * in vain, and that the worker is not late with a sync meanwhile. This program brings its own
 * fdatasync, which counts and remembers how much was synced, its own clock, which hurries, and its
 * own sched_getaffinity and sched_yield. No time is compared with anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#include "work/loop.h"
#include "work/single_client.h"

#define HOUR_MS (60 * 60 * 1000)
#define RECORD_BYTES 20
#define ROW 16                 /* so many jobs in a row make a single client */
#define MANY 100               /* far more */
#define EVER_NS 60000000000ULL /* a minute: a test that needs it has failed */

static atomic_uint yields; /* of the worker: it spins, and lets others have the core now and then */
static atomic_uint syncs;
static atomic_llong synced_bytes; /* of the file, at its last sync */
static atomic_uint hours;         /* that have gone by, over those of the real clock */
static int cores;                 /* of this machine, or -errno */

int sched_yield(void)
{
    (void)atomic_fetch_add(&yields, 1);
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

struct looked {
    unsigned looks, ready_at; /* 0: never */
};

static bool count_look(const void *argument)
{
    struct looked *looked = (struct looked *)(uintptr_t)argument;
    looked->looks++;
    return looked->looks == looked->ready_at;
}

static void what_is_there_is_seen_at_the_first_look(void **state)
{
    (void)state;
    struct single_client client = {.is_single = true, .spin_ns = EVER_NS};
    struct looked looked = {.ready_at = 1};
    assert_true(single_client_spin(&client, count_look, &looked));
    assert_int_equal(looked.looks, 1);
}

static void looking_goes_on_until_it_comes(void **state)
{
    (void)state;
    for (int yielding = 0; yielding < 2; yielding++) {
        struct single_client client = {.is_single = true, .spin_ns = EVER_NS, .yields = yielding};
        struct looked looked = {.ready_at = 1000};
        assert_true(single_client_spin(&client, count_look, &looked));
        assert_int_equal(looked.looks, 1000);
    }
}

static void without_time_nobody_looks(void **state)
{
    (void)state;
    struct single_client client = {.is_single = true};
    struct looked looked = {.ready_at = 1};
    assert_false(single_client_spin(&client, count_look, &looked));
    assert_int_equal(looked.looks, 0);
}

static void without_a_single_client_nobody_looks(void **state)
{
    (void)state;
    struct single_client client = {.spin_ns = EVER_NS};
    struct looked looked = {.ready_at = 1};
    assert_false(single_client_spin(&client, count_look, &looked));
    single_client_popped(&client, true);
    assert_true(single_client_spin(&client, count_look, &looked));
    single_client_popped(&client, false);
    assert_false(single_client_spin(&client, count_look, &looked));
    assert_int_equal(looked.looks, 1);
}

/* One job that was pushed while another was in flight, and the row begins anew. */
static void jobs_alone_in_flight_make_a_single_client(void **state)
{
    (void)state;
    struct single_client client = {0};
    for (unsigned in_flight = 2; in_flight < 5; in_flight++) {
        for (unsigned i = 1; i < ROW; i++)
            assert_false(single_client_pushed(&client, 1));
        for (unsigned i = 0; i < MANY; i++)
            assert_true(single_client_pushed(&client, 1));
        assert_false(single_client_pushed(&client, in_flight));
    }
}

/* After a failure the next time is left out, then the next three, then seven, fifteen, sixteen. */
static void in_vain_it_is_left_out_for_longer_and_longer(void **state)
{
    (void)state;
    static const unsigned left_out[] = {1, 3, 7, 15, 16, 16};
    struct single_client client = {.is_single = true, .spin_ns = 1};
    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) {
        struct looked looked = {0};
        assert_false(single_client_spin(&client, count_look, &looked));
        assert_true(looked.looks > 0);
        for (unsigned n = 0; n < left_out[i]; n++) {
            looked.looks = 0;
            assert_false(single_client_spin(&client, count_look, &looked));
            assert_int_equal(looked.looks, 0);
        }
    }
    struct looked looked = {.ready_at = 1};
    assert_true(single_client_spin(&client, count_look, &looked));
    looked = (struct looked){0};
    assert_false(
        single_client_spin(&client, count_look, &looked)); /* a success begins the count anew */
    assert_false(single_client_spin(&client, count_look, &looked));
    looked.looks = 0;
    assert_false(single_client_spin(&client, count_look, &looked));
    assert_true(looked.looks > 0);
}

static atomic_bool looking, there;

static bool is_there(const void *argument)
{
    (void)argument;
    atomic_store(&looking, true);
    return atomic_load(&there);
}

static void *bring(void *argument)
{
    while (!atomic_load(&looking))
        ;
    atomic_store(&there, true);
    return argument;
}

static void what_another_thread_brings_is_seen(void **state)
{
    (void)state;
    struct single_client client = {.is_single = true, .spin_ns = EVER_NS, .yields = true};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, bring, NULL), 0);
    assert_true(single_client_spin(&client, is_there, NULL));
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static int counting_set_up(void **state)
{
    atomic_store(&yields, 0);
    atomic_store(&syncs, 0);
    atomic_store(&synced_bytes, 0);
    atomic_store(&hours, 0);
    cores = 2;
    return set_up(state);
}

static struct request *submit_append(struct fixture *fixture)
{
    struct request *request = new_request(fixture, JOB_APPEND, 0);
    assert_int_equal(evbuffer_add(request->job.value, "1234", 4), 0);
    return submit(fixture, "p", request);
}

/* A client that waits for its reply. */
static void append_alone(struct fixture *fixture)
{
    assert_int_equal(finish_and_free(fixture, submit_append(fixture)), 0);
}

/* Two clients that do not wait for each other. */
static void append_two(struct fixture *fixture)
{
    struct request *first = submit_append(fixture), *second = submit_append(fixture);
    assert_int_equal(finish_and_free(fixture, second), 0);
    assert_int_equal(finish_and_free(fixture, first), 0);
}

/* Bounded by the time-out of the test. */
static void await_yield(void)
{
    while (atomic_load(&yields) == 0)
        continue;
}

static void spinning_is_for_a_single_client_only(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 8, 1);
    for (unsigned i = 0; i < MANY; i++)
        append_two(fixture);
    assert_int_equal(atomic_load(&yields), 0);
    for (unsigned i = 0; i < MANY; i++)
        append_alone(fixture);
    await_yield(); /* at the latest when no more come */
    append_two(fixture);
    append_two(fixture); /* the worker does not spin from now on */
    atomic_store(&yields, 0);
    for (unsigned i = 0; i < MANY; i++)
        append_two(fixture);
    stop(fixture);
    assert_int_equal(atomic_load(&yields), 0);
}

/* The other side could not do anything meanwhile; nor if it is not known how many there are. */
static void nobody_yields_with_a_single_core(void **state)
{
    static const int numbers[] = {1, -EPERM};
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 2; i++) {
        cores = numbers[i];
        start(fixture, 1, 8, 1);
        for (unsigned n = 0; n < MANY; n++)
            append_alone(fixture);
        stop(fixture);
        assert_int_equal(atomic_load(&yields), 0);
    }
}

/* The worker syncs at the end of a drain, so at the latest before it pops the next job. */
static void a_sync_comes_in_time_while_jobs_come(void **state)
{
    struct fixture *fixture = *state;
    fixture->sync_after_ms = HOUR_MS;
    start(fixture, 1, 8, 1);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < MANY; i++)
            append_alone(fixture);
        assert_int_equal(atomic_load(&syncs), round);
        (void)atomic_fetch_add(&hours, 1);
        append_alone(fixture);
        append_alone(fixture);
        assert_int_equal(atomic_load(&syncs), round + 1);
    }
    await_yield();
    stop(fixture);
    assert_int_equal(atomic_load(&syncs), 11);
}

/* Nobody wakes the worker for it, whether it spins at first or sleeps. */
static void a_sync_comes_in_time_when_jobs_stop(void **state)
{
    struct fixture *fixture = *state;
    long long bytes = 0;
    fixture->sync_after_ms = 1;
    start(fixture, 1, 8, 1);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i <= MANY; i++, bytes += RECORD_BYTES)
            append_alone(fixture);
        while (atomic_load(&synced_bytes) != bytes)
            continue; /* bounded by the time-out of the test */
    }
    await_yield();
    unsigned before = atomic_load(&syncs);
    stop(fixture);
    assert_int_equal(atomic_load(&syncs), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, counting_set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_there_is_seen_at_the_first_look),
        cmocka_unit_test(looking_goes_on_until_it_comes),
        cmocka_unit_test(without_time_nobody_looks),
        cmocka_unit_test(without_a_single_client_nobody_looks),
        cmocka_unit_test(jobs_alone_in_flight_make_a_single_client),
        cmocka_unit_test(in_vain_it_is_left_out_for_longer_and_longer),
        cmocka_unit_test(what_another_thread_brings_is_seen),
        TEST(spinning_is_for_a_single_client_only),
        TEST(nobody_yields_with_a_single_core),
        TEST(a_sync_comes_in_time_while_jobs_come),
        TEST(a_sync_comes_in_time_when_jobs_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
