/*
 * Tests of work/ with a kernel and a heap that say no: the Nth call that
 * starts the threads, or that takes memory for a request, fails, for
 * N = 1, 2, ... until all is through. Nothing is left behind then, every
 * request is answered, and the next ones as ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/eventfd.h>

#include "lib/failing.h"
#include "work/loop.h"

FAILING_REALLOCARRAY
FAILING(aligned_alloc, void *, NULL, (size_t alignment, size_t bytes), (alignment, bytes))
FAILING(eventfd, int, -1, (unsigned count, int flags), (count, flags))
FAILING(sem_init, int, -1, (sem_t * semaphore, int shared, unsigned value),
        (semaphore, shared, value))
FAILING(sem_wait, int, -1, (sem_t * semaphore), (semaphore))
FAILING(write, ssize_t, -1, (int fd, const void *data, size_t bytes), (fd, data, bytes))
FAILING_PTHREAD_CREATE

/* One for both: a compiler may make a calloc of malloc and memset. */
static struct failing fail_heap;
void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    return failing_now(&fail_heap) ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return failing_now(&fail_heap) ? NULL : __real_calloc(count, bytes);
}

/* libevent's memory: it is a library of its own, the linker does not reach into it. */
static struct failing fail_libevent;

static void *libevent_malloc(size_t bytes)
{
    return failing_now(&fail_libevent) ? NULL : __real_malloc(bytes);
}

static void *libevent_realloc(void *old, size_t bytes)
{
    return failing_now(&fail_libevent) ? NULL : realloc(old, bytes);
}

static unsigned entries(const char *path)
{
    unsigned count = 0;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    (void)closedir(directory);
    return count;
}

/* A thread that was joined may be listed for a moment more. */
static void wait_for_threads(unsigned count)
{
    struct timespec begin, now;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    while (entries("/proc/self/task") > count) {
        (void)sched_yield();
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        assert_true(now.tv_sec - begin.tv_sec < LOST_MS / 1000);
    }
}

#define WORKERS 3
#define SYNC_THREADS 2

static int start_both(struct fixture *fixture, const struct pool_options *options)
{
    int error = pool_start(options, &fixture->pool);
    if (error != 0)
        return error;
    fixture->router = router_new(fixture->pool, fixture->max_open);
    if (fixture->router != NULL)
        return 0;
    (void)pool_stop(fixture->pool);
    return -ENOMEM;
}

static void stop_both(struct fixture *fixture)
{
    assert_int_equal(pool_stop(fixture->pool), 0);
    router_free(fixture->router);
    fixture->pool = NULL;
    fixture->router = NULL;
}

static void starting(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        struct failing *call;
        int error;
        int calls; /* how many there are at least */
    } kinds[] = {{&fail_heap, ENOMEM, 4 + WORKERS * (1 + SYNC_THREADS)},
                 {&fail_aligned_alloc, ENOMEM, 2 * WORKERS},
                 {&fail_eventfd, EMFILE, 1},
                 {&fail_sem_init, ENOSYS, WORKERS},
                 {&fail_pthread_create, EAGAIN, WORKERS + SYNC_THREADS}};
    const struct pool_options options = {.root = fixture->root,
                                         .workers = WORKERS,
                                         .max_in_flight = 4,
                                         .buckets_if_new = 4,
                                         .sync_threads = SYNC_THREADS,
                                         .max_files = 100};
    assert_int_equal(start_both(fixture, &options), 0);
    unsigned threads =
        entries("/proc/self/task") - WORKERS - SYNC_THREADS; /* a sanitizer may have its own */
    stop_both(fixture);
    assert_int_equal(pool_stop(NULL), 0); /* is allowed */
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        bool failed = true;
        for (int nth = 1; failed; nth++) {
            unsigned descriptors = entries("/proc/self/fd");
            failing_arm(kinds[i].call, nth, kinds[i].error);
            int error = start_both(fixture, &options);
            failed = failing_disarm(kinds[i].call);
            assert_int_equal(error, failed ? -kinds[i].error : 0);
            if (error == 0)
                stop_both(fixture);
            assert_int_equal(entries("/proc/self/fd"), descriptors);
            wait_for_threads(threads);
            assert_true(failed || nth > kinds[i].calls);
        }
    }
}

static char long_value[JOB_PIECE_BYTES + 1000];

/* One of each: 0 appends to a new prefix, 1 reads, 2 a long value, 3 many, 4 closes, 5 appends with
 * a sync. */
#define REQUESTS 6

static struct request *make(struct fixture *fixture, unsigned which)
{
    static const enum job_kind kinds[REQUESTS] = {JOB_APPEND,     JOB_READ,  JOB_READ,
                                                  JOB_READ_MULTI, JOB_CLOSE, JOB_APPEND};
    struct request *request = new_request(fixture, kinds[which], which == 2);
    if (which == 0 || which == 5)
        assert_int_equal(evbuffer_add(request->job.value, "hello", 5), 0);
    request->job.sync = which == 5;
    for (unsigned i = 0; which == 3 && i < 1000; i++)
        assert_int_equal(evbuffer_add(request->job.offsets, "\0\0\0\0\0\0\0\0", 8), 0);
    return request;
}

static void check(const struct request *request, unsigned which)
{
    assert_int_equal(request->job.error, 0);
    static const size_t reply_bytes[REQUESTS] = {0, 0, sizeof(long_value), 1000 * (4 + 5), 0, 0};
    assert_int_equal(evbuffer_get_length(request->reply), reply_bytes[which]);
    if (which == 1) {
        assert_int_equal(request->job.small_bytes, 5);
        assert_memory_equal(request->job.small, "hello", 5);
    }
    if (which == 2)
        assert_memory_equal(evbuffer_pullup(request->reply, -1), long_value, sizeof(long_value));
}

static void assert_served(struct fixture *fixture, const char *prefix, unsigned which)
{
    struct request *request = submit(fixture, prefix, make(fixture, which));
    assert_int_equal(finish(fixture, request), 0);
    check(request, which);
    free_request(request);
}

/* A prefix with a short value in bucket 0 and a long one in bucket 1. */
static void fill(struct fixture *fixture, const char *prefix)
{
    assert_served(fixture, prefix, 0);
    struct request *request = new_request(fixture, JOB_APPEND, 1);
    assert_int_equal(
        evbuffer_add_reference(request->job.value, long_value, sizeof(long_value), NULL, NULL), 0);
    assert_int_equal(finish_and_free(fixture, submit(fixture, prefix, request)), 0);
}

/* What came before the error is right. */
static void check_failed(const struct request *request, unsigned which)
{
    size_t bytes = evbuffer_get_length(request->reply);
    assert_int_equal(request->job.error, -ENOMEM);
    assert_true(which == 2 || which == 3 || bytes == 0);
    assert_true(bytes < sizeof(long_value));
    if (which == 2 && bytes > 0)
        assert_memory_equal(evbuffer_pullup(request->reply, -1), long_value, bytes);
}

/* How often that call failed during a request of that kind, the first of a server. */
static int fail_each(struct fixture *fixture, struct failing *call, unsigned which)
{
    bool failed = true;
    int nth = 0;
    for (; failed; nth++) {
        char prefix[32];
        (void)snprintf(prefix, sizeof(prefix), "%u.%d", which, nth);
        start(fixture, 2, 8, 4);
        fill(fixture, prefix);
        stop(fixture);
        start(fixture, 2, 8, 4);
        struct request *request = make(fixture, which);
        failing_arm(call, nth + 1, ENOMEM);
        (void)finish(fixture, submit(fixture, prefix, request));
        failed = failing_disarm(call);
        if (failed)
            check_failed(request, which);
        else
            check(request, which);
        free_request(request);
        for (unsigned next = 0; next < REQUESTS; next++)
            assert_served(fixture, prefix, next);
        stop(fixture);
        assert_int_equal(temporary_empty(temporary_path(fixture->directory, prefix)), 0);
    }
    return nth - 1;
}

static void requests_without_memory(void **state)
{
    static const struct {
        struct failing *call;
        int calls[REQUESTS]; /* how many each request makes at least */
    } kinds[] = {
        {&fail_heap, {4, 4, 4, 4, 3, 5}},          /* the prefix, the table of them, the bucket */
        {&fail_aligned_alloc, {1, 1, 1, 1, 0, 1}}, /* the slots of its buckets */
        {&fail_reallocarray, {2, 0, 0, 0, 0, 2}},  /* the batch */
        {&fail_libevent, {0, 0, 2, 2, 0, 0}},      /* a piece of the reply */
    };
    for (size_t i = 0; i < sizeof(long_value); i++)
        long_value[i] = (char)(i * 131 + i / 257);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        for (unsigned which = 0; which < REQUESTS; which++)
            assert_true(fail_each(*state, kinds[i].call, which) >= kinds[i].calls[which]);
}

/* An append while a close waits for a reader: it comes before the files are closed, or after it. */
static bool fail_new_generation(struct fixture *fixture, bool after, int nth)
{
    start(fixture, 1, 8, 4);
    fill(fixture, "p");
    struct request *reader = new_request(fixture, JOB_READ_MULTI, 1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(evbuffer_add(reader->job.offsets, "\0\0\0\0\0\0\0\0", 8), 0);
    reader->hold = true;
    (void)submit(fixture, "p", reader);
    while (reader->answers == 0)
        turn(fixture);
    assert_true(reader->job.more);
    struct request *closing = submit(fixture, "p", make(fixture, 4));
    if (after) /* the worker closes them before it serves this */
        assert_served(fixture, "q", 0);
    struct request *write = after ? NULL : submit(fixture, "p", make(fixture, 0));
    failing_arm(&fail_heap, nth, ENOMEM);
    if (after)
        write = submit(fixture, "p", make(fixture, 0));
    int error = finish(fixture, write);
    bool failed = failing_disarm(&fail_heap);
    assert_true(error == 0 || (failed && error == -ENOMEM));
    free_request(write);
    assert_served(fixture, "p", 0);
    assert_int_equal(closing->answers, 0);
    router_resume(fixture->router, &reader->job);
    reader->hold = false;
    assert_int_equal(finish(fixture, reader), 0);
    assert_int_equal(evbuffer_get_length(reader->reply), 3 * (4 + sizeof(long_value)));
    free_request(reader);
    assert_int_equal(finish_and_free(fixture, closing), 0);
    assert_served(fixture, "p", 4);
    assert_int_equal(open_files(fixture), 0);
    stop(fixture);
    return failed;
}

static void new_generations_without_memory(void **state)
{
    for (int after = 0; after < 2; after++) {
        int nth = 1;
        while (fail_new_generation(*state, after, nth))
            nth++;
        assert_true(nth > 2); /* the generation, its bucket */
    }
}

/* Appends until that call was interrupted once: how soon a thread sleeps is for it to say. */
static void interrupt(struct fixture *fixture, struct failing *call)
{
    struct timespec begin, now;
    start(fixture, 1, 8, 1);
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int nth = 1; nth <= 3; nth++) {
        failing_arm(call, nth, EINTR);
        while (atomic_load(&call->seen) <= nth) { /* and called again */
            /* two at a time: for a single client it would spin and not sleep */
            struct request *first = append(fixture, "p", 0, "x");
            assert_int_equal(finish_and_free(fixture, append(fixture, "p", 0, "x")), 0);
            assert_int_equal(finish_and_free(fixture, first), 0);
            (void)clock_gettime(CLOCK_MONOTONIC, &now);
            assert_true(now.tv_sec - begin.tv_sec < LOST_MS / 1000);
        }
        assert_true(failing_disarm(call));
    }
    stop(fixture);
}

static void interrupted_sleep_goes_on(void **state)
{
    interrupt(*state, &fail_sem_wait);
}

/* Or the loop would sleep for ever. */
static void interrupted_wake_up_is_tried_again(void **state)
{
    interrupt(*state, &fail_write);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(starting),
        TEST(requests_without_memory),
        TEST(new_generations_without_memory),
        TEST(interrupted_sleep_goes_on),
        TEST(interrupted_wake_up_is_tried_again),
    };
    event_set_mem_functions(libevent_malloc, libevent_realloc, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
