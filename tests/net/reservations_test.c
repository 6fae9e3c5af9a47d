/* In which order requests that wait for memory go on. */
#include "net/reservations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define REPLY_BYTES (256 * 1024 - 64)
#define MIB (1024ULL * 1024)
#define LIMIT_BYTES (64 * MIB)
#define MEDIUM_BYTES (3 * MIB)
#define LARGE_BYTES (16 * MIB)
#define MEDIUM_COUNT 40

struct waiter {
    struct reservation reservation;
    bool granted;
};

static void on_granted(struct reservation *reservation)
{
    ((struct waiter *)reservation)->granted = true;
}

static void want(struct reservations *reservations, struct waiter *waiter, uint64_t bytes)
{
    *waiter = (struct waiter){.reservation = {.granted = on_granted}};
    waiter->granted = reservations_want(reservations, &waiter->reservation, bytes, bytes, 0);
}

static void release(struct reservations *reservations, struct waiter *waiter)
{
    reservations_release(reservations, &waiter->reservation);
    waiter->granted = false;
}

/* As many as fit hold memory, the others wait. */
static void want_all(struct reservations *reservations, struct waiter waiters[MEDIUM_COUNT])
{
    reservations_init(reservations, LIMIT_BYTES, REPLY_BYTES);
    for (unsigned i = 0; i < MEDIUM_COUNT; i++)
        want(reservations, &waiters[i], MEDIUM_BYTES);
    assert_true(waiters[0].granted);
    assert_false(waiters[MEDIUM_COUNT - 1].granted);
}

/* There are always medium ones that wait, so all that is released could go to them. */
static void test_a_large_one_goes_on_while_medium_ones_come_all_the_time(void **state)
{
    struct reservations reservations;
    struct waiter medium[MEDIUM_COUNT], large;
    (void)state;
    want_all(&reservations, medium);
    want(&reservations, &large, LARGE_BYTES);
    assert_false(large.granted);
    for (unsigned i = 0; i < MEDIUM_COUNT && !large.granted; i++) {
        if (!medium[i].granted)
            continue;
        release(&reservations, &medium[i]);
        assert_true(reservations_released(&reservations));
        reservations_grant(&reservations, 0);
        want(&reservations, &medium[i], MEDIUM_BYTES);
    }
    assert_true(large.granted);
}

/* A request that no longer waits does not hold up the others. */
static void test_smaller_ones_go_on_when_the_large_one_gives_up(void **state)
{
    struct reservations reservations;
    struct waiter medium[MEDIUM_COUNT], large;
    (void)state;
    want_all(&reservations, medium);
    want(&reservations, &large, LARGE_BYTES);
    release(&reservations, &medium[0]);
    reservations_grant(&reservations, 0);
    unsigned next = 0;
    while (next < MEDIUM_COUNT && (next == 0 || medium[next].granted))
        next++;
    assert_true(next < MEDIUM_COUNT); /* held back for the large one */
    reservations_release(&reservations, &large.reservation);
    assert_true(reservations_released(&reservations));
    reservations_grant(&reservations, 0);
    assert_true(medium[next].granted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_large_one_goes_on_while_medium_ones_come_all_the_time),
        cmocka_unit_test(test_smaller_ones_go_on_when_the_large_one_gives_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
