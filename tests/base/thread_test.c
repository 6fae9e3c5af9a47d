/*
 * Tests of base/thread: which signals a new thread takes, and that a start that fails leaves
 * nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>

#include "base/thread.h"
#include "lib/failing.h"

FAILING_PTHREAD_CREATE
FAILING(pthread_sigmask, int, EINVAL, (int how, const sigset_t *set, sigset_t *old),
        (how, set, old))

/* Of each sort some; the C library keeps others for itself. */
static const int signals[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGPIPE,  SIGALRM,
                              SIGCHLD, SIGUSR1, SIGUSR2, SIGURG,  SIGWINCH, SIGSYS};
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

static sigset_t current_mask(void)
{
    sigset_t mask;
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    return mask;
}

/* One of the signals is blocked, the others are not. */
static int block_one(void **state)
{
    sigset_t mask;
    (void)state;
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGUSR1);
    return pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

static void expect_that_mask(void)
{
    sigset_t mask = current_mask();
    for (size_t i = 0; i < SIGNALS; i++)
        assert_int_equal(sigismember(&mask, signals[i]), signals[i] == SIGUSR1);
}

/* Answers its argument, filled. */
static void *tell_mask(void *mask)
{
    return pthread_sigmask(SIG_SETMASK, NULL, mask) == 0 ? mask : NULL;
}

static void all_signals_are_blocked_in_the_thread_and_the_callers_are_as_before(void **state)
{
    pthread_t thread;
    sigset_t mask;
    void *result;
    (void)state;
    (void)sigemptyset(&mask);
    assert_int_equal(thread_start(&thread, tell_mask, &mask), 0);
    expect_that_mask();
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &mask);
    for (size_t i = 0; i < SIGNALS; i++)
        assert_int_equal(sigismember(&mask, signals[i]), 1);
}

static void a_start_that_fails_says_so_and_leaves_the_mask(void **state)
{
    static struct {
        struct failing *call;
        int error;
    } steps[] = {{&fail_pthread_sigmask, -EINVAL}, {&fail_pthread_create, -EAGAIN}};
    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        pthread_t thread;
        sigset_t mask;
        failing_arm(steps[i].call, 1, -steps[i].error);
        assert_int_equal(thread_start(&thread, tell_mask, &mask), steps[i].error);
        assert_true(failing_disarm(steps[i].call));
        expect_that_mask();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_signals_are_blocked_in_the_thread_and_the_callers_are_as_before,
                               block_one),
        cmocka_unit_test_setup(a_start_that_fails_says_so_and_leaves_the_mask, block_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
