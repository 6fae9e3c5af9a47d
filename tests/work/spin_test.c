/*
 * Tests of work/spin: who is looked for, how often in vain, and by whom it is
 * found. No time is compared with anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "work/spin.h"

#define EVER_NS 60000000000ULL /* a minute: who needs it has failed */

struct looked {
    unsigned looks, ready_at; /* 0: never */
};

static bool look(const void *argument)
{
    struct looked *looked = (struct looked *)(uintptr_t)argument;
    looked->looks++;
    return looked->looks == looked->ready_at;
}

static void what_is_there_is_seen_at_the_first_look(void **state)
{
    (void)state;
    struct spin spin = {.most_ns = EVER_NS};
    struct looked looked = {.ready_at = 1};
    assert_true(spin_until(&spin, look, &looked));
    assert_int_equal(looked.looks, 1);
}

static void looking_goes_on_until_it_comes(void **state)
{
    (void)state;
    for (int offers = 0; offers < 2; offers++) {
        struct spin spin = {.most_ns = EVER_NS, .offers = offers};
        struct looked looked = {.ready_at = 1000};
        assert_true(spin_until(&spin, look, &looked));
        assert_int_equal(looked.looks, 1000);
    }
}

static void without_time_nobody_looks(void **state)
{
    (void)state;
    struct spin spin = {.most_ns = 0};
    struct looked looked = {.ready_at = 1};
    assert_false(spin_until(&spin, look, &looked));
    assert_int_equal(looked.looks, 0);
}

/* After a failure the next time is left out, then the next three, then seven, fifteen, sixteen. */
static void in_vain_it_is_left_out_for_longer_and_longer(void **state)
{
    (void)state;
    static const unsigned left_out[] = {1, 3, 7, 15, 16, 16};
    struct spin spin = {.most_ns = 1};
    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) {
        struct looked looked = {0};
        assert_false(spin_until(&spin, look, &looked));
        assert_true(looked.looks > 0);
        for (unsigned n = 0; n < left_out[i]; n++) {
            looked.looks = 0;
            assert_false(spin_until(&spin, look, &looked));
            assert_int_equal(looked.looks, 0);
        }
    }
    struct looked looked = {.ready_at = 1};
    assert_true(spin_until(&spin, look, &looked));
    looked = (struct looked){0};
    assert_false(spin_until(&spin, look, &looked)); /* a success begins the count anew */
    assert_false(spin_until(&spin, look, &looked));
    looked.looks = 0;
    assert_false(spin_until(&spin, look, &looked));
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
    struct spin spin = {.most_ns = EVER_NS, .offers = true};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, bring, NULL), 0);
    assert_true(spin_until(&spin, is_there, NULL));
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_there_is_seen_at_the_first_look),
        cmocka_unit_test(looking_goes_on_until_it_comes),
        cmocka_unit_test(without_time_nobody_looks),
        cmocka_unit_test(in_vain_it_is_left_out_for_longer_and_longer),
        cmocka_unit_test(what_another_thread_brings_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
