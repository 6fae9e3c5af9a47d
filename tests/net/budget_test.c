/* Who gets a share of the memory and who waits. */
#include "net/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define REPLY_BYTES (256 * 1024 - 64)

#define MIB (1024ULL * 1024)

static unsigned take_all(struct budget *budget, uint64_t body_bytes)
{
    unsigned shares = 0;
    while (budget_reserve(budget, body_bytes))
        shares++;
    return shares;
}

static void test_a_share_is_the_body_and_a_piece_of_the_reply(void **state)
{
    struct budget budget = {.limit_bytes = 10 * MIB, .reply_bytes = REPLY_BYTES};
    (void)state;
    assert_int_equal(take_all(&budget, 0), 10 * MIB / REPLY_BYTES);
    budget_release(&budget, 0);
    assert_true(budget_reserve(&budget, 0));
    assert_false(budget_reserve(&budget, 0));
}

static void test_large_bodies_leave_an_eighth_to_small_ones(void **state)
{
    struct budget budget = {.limit_bytes = 16 * MIB, .reply_bytes = REPLY_BYTES};
    (void)state;
    unsigned large = take_all(&budget, MIB);
    assert_int_equal(large, 14 * MIB / (MIB + REPLY_BYTES));
    assert_true(take_all(&budget, BUDGET_LARGE_BYTES - 1) > 0);
    assert_true(budget.used_bytes <= budget.limit_bytes);
}

static void test_what_never_fits_is_let_in_as_the_only_large_one(void **state)
{
    struct budget budget = {.limit_bytes = 16 * MIB, .reply_bytes = REPLY_BYTES};
    (void)state;
    assert_true(budget_reserve(&budget, 0));
    assert_true(budget_reserve(&budget, 64 * MIB));
    assert_false(budget_reserve(&budget, 64 * MIB));
    assert_false(budget_reserve(&budget, MIB));
    /* small ones have their eighth still, and the one that was there is among them */
    unsigned small = take_all(&budget, 0);
    assert_int_equal(1 + small, 2 * MIB / REPLY_BYTES);
    for (; small > 0; small--)
        budget_release(&budget, 0);
    budget_release(&budget, 64 * MIB);
    assert_true(budget_reserve(&budget, MIB));
    assert_false(budget_reserve(&budget, 64 * MIB));
    budget_release(&budget, MIB);
    budget_release(&budget, 0);
    assert_int_equal(budget.used_bytes, 0);
    assert_int_equal(budget.large, 0);
}

/* It may be anything up to the whole budget, for others were not there to leave it alone. */
static void test_what_small_ones_hold_does_not_keep_it_out(void **state)
{
    struct budget budget = {.limit_bytes = 16 * MIB, .reply_bytes = REPLY_BYTES};
    (void)state;
    unsigned small = take_all(&budget, 0);
    assert_true(budget_reserve(&budget, 64 * MIB));
    for (; budget.used_bytes > 16 * MIB - REPLY_BYTES; small--) {
        assert_false(budget_reserve(&budget, 0));
        budget_release(&budget, 0);
    }
    assert_true(budget_reserve(&budget, 0));
    assert_true(small > 0);
    for (small++; small > 0; small--)
        budget_release(&budget, 0);
    budget_release(&budget, 64 * MIB);
    assert_int_equal(budget.used_bytes, 0);
}

static void test_large_bodies_leave_room_for_a_small_one(void **state)
{
    static const uint64_t bodies[] = {BUDGET_LARGE_BYTES, MIB, 64 * MIB};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct budget budget = {.limit_bytes = MIB,
                                .reply_bytes = REPLY_BYTES}; /* an eighth is too little */
        assert_true(take_all(&budget, bodies[i]) > 0);
        assert_true(budget_reserve(&budget, BUDGET_LARGE_BYTES - 1));
        assert_true(budget.used_bytes <= budget.limit_bytes);
    }
}

static void test_a_budget_smaller_than_a_share_serves_one_at_a_time(void **state)
{
    struct budget budget = {.limit_bytes = 1, .reply_bytes = REPLY_BYTES};
    (void)state;
    assert_int_equal(take_all(&budget, 0), 1);
    budget_release(&budget, 0);
    assert_int_equal(take_all(&budget, 5), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_share_is_the_body_and_a_piece_of_the_reply),
        cmocka_unit_test(test_large_bodies_leave_an_eighth_to_small_ones),
        cmocka_unit_test(test_what_never_fits_is_let_in_as_the_only_large_one),
        cmocka_unit_test(test_what_small_ones_hold_does_not_keep_it_out),
        cmocka_unit_test(test_large_bodies_leave_room_for_a_small_one),
        cmocka_unit_test(test_a_budget_smaller_than_a_share_serves_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
