/*
 * Tests of work/resolver: the files of a new prefix are made in steps, between which other requests
 * are served. This program brings its own openat, which counts the files that are made, and can
 * hold the worker up, or fail, at one of them; and its own pwritev, which says how many there were.
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
#include <stdlib.h>
#include <sys/uio.h>

#include "work/loop.h"

#define STEP 64
#define BUCKETS 1000
#define NAME_HEAD_BYTES 7 /* "append." */

static atomic_uint made;         /* files, since the test began */
static unsigned numbers[10000];  /* theirs, in that order */
static atomic_uint held_at;      /* the one that waits for `release`; 0: none */
static atomic_uint failing_at;   /* the one that is not made; 0: none */
static atomic_uint made_by_then; /* when something was written */
static sem_t entered, release;

/* With _FILE_OFFSET_BITS=64 the symbol of this is openat64. */
int openat(int directory_fd, const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    int (*real)(int, const char *, int, ...);
    *(void **)&real = dlsym(RTLD_NEXT, "openat64");
    if ((flags & O_CREAT) != 0 && strncmp(name, "append.", NAME_HEAD_BYTES) == 0) {
        unsigned number = atomic_fetch_add(&made, 1);
        numbers[number] = (unsigned)strtoul(name + NAME_HEAD_BYTES, NULL, 10);
        if (number + 1 == held_at) {
            assert_int_equal(sem_post(&entered), 0);
            while (sem_wait(&release) != 0)
                ;
        }
        if (number + 1 == failing_at) {
            errno = ENOSPC;
            return -1;
        }
    }
    return real(directory_fd, name, flags, mode);
}

/* And of this pwritev64. */
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t);
    *(void **)&real = dlsym(RTLD_NEXT, "pwritev64");
    made_by_then = made;
    return real(fd, parts, count, offset);
}

static void begin(struct fixture *fixture, unsigned buckets)
{
    start(fixture, 1, 16, buckets);
    held_at = failing_at = 0;
    assert_int_equal(sem_init(&entered, 0, 0), 0);
    assert_int_equal(sem_init(&release, 0, 0), 0);
}

/* Until the worker is at the file that is held. */
static void await_held(struct fixture *fixture)
{
    while (sem_trywait(&entered) != 0)
        turn_without_sleep(fixture);
}

static void append_to_another_prefix_waits_for_one_step(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, BUCKETS);
    assert_int_equal(finish_and_free(fixture, append(fixture, "open", 0, "x")), 0);
    made = 0;
    held_at = 30;
    struct request *creating = append(fixture, "new", 0, "x");
    for (unsigned file = 30; file < BUCKETS; file += 3 * STEP) {
        await_held(fixture);
        struct request *other = append(fixture, "open", file, "x");
        held_at = file + 3 * STEP;
        assert_int_equal(sem_post(&release), 0);
        assert_int_equal(finish_and_free(fixture, other), 0);
        assert_true(made_by_then <= file + STEP);
        assert_int_equal(creating->answers, 0);
    }
    assert_int_equal(finish_and_free(fixture, creating), 0);
    assert_int_equal(made, BUCKETS);
    assert_int_equal(made_by_then, BUCKETS); /* the append that all of them were made for */
    stop(fixture);
}

static void two_new_prefixes_take_turns(void **state)
{
    struct fixture *fixture = *state;
    const unsigned buckets = 200;
    begin(fixture, buckets);
    made = 0;
    held_at = 1;
    struct request *first = append(fixture, "first", 0, "x");
    await_held(fixture);
    struct request *second = append(fixture, "second", 0, "x");
    assert_int_equal(sem_post(&release), 0);
    assert_int_equal(finish_and_free(fixture, first), 0);
    assert_int_equal(finish_and_free(fixture, second), 0);
    assert_int_equal(made, 2 * buckets);
    /* the first had made a step when the second came */
    static const char turns[] = "11212122";
    unsigned number = 0, done[2] = {0, 0};
    for (const char *turn = turns; *turn != '\0'; turn++) {
        unsigned *of = &done[*turn - '1'];
        for (unsigned end = *of + STEP; *of < end && *of < buckets; ++*of)
            assert_int_equal(numbers[number++], buckets - 1 - *of);
    }
    assert_int_equal(number, 2 * buckets);
    stop(fixture);
}

/* Those that are made stay, and the next append makes the rest. */
static void creation_that_fails_in_the_middle_goes_on_later(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, BUCKETS);
    made = 0;
    failing_at = 2 * STEP + 10;
    struct request *failed[] = {append(fixture, "p", 0, "x"), append(fixture, "p", 1, "x")};
    for (int i = 0; i < 2; i++)
        assert_int_equal(finish_and_free(fixture, failed[i]), -ENOSPC);
    assert_int_equal(made, failing_at);
    made = 0;
    failing_at = 0;
    assert_int_equal(finish_and_free(fixture, append(fixture, "p", 0, "x")), 0);
    assert_int_equal(made, BUCKETS - (2 * STEP + 9));
    stop(fixture);
}

/* Parked in order, also behind a close. */
static void requests_that_wait_for_the_creation_keep_their_order(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, BUCKETS);
    made = 0;
    held_at = STEP + 1;
    struct request *first = append(fixture, "p", 7, "x");
    await_held(fixture);
    struct request *second = append(fixture, "p", 7, "x"), *closing = close_prefix(fixture, "p"),
                   *third = append(fixture, "p", 7, "x");
    assert_int_equal(sem_post(&release), 0);
    struct request *all[] = {first, second, closing, third};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(finish(fixture, all[i]), 0);
        assert_int_equal(all[i]->done_as, i + 1);
    }
    assert_int_equal(second->job.offset, 17);
    assert_int_equal(third->job.offset, 34);
    for (unsigned i = 0; i < 4; i++)
        free_request(all[i]);
    assert_int_equal(made, BUCKETS);
    stop(fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(append_to_another_prefix_waits_for_one_step),
        TEST(two_new_prefixes_take_turns),
        TEST(creation_that_fails_in_the_middle_goes_on_later),
        TEST(requests_that_wait_for_the_creation_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
