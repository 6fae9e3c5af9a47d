/* Which requests get memory and which wait. */
#include "net/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define REPLY_BYTES (256 * 1024 - 64)

#define MIB (1024ULL * 1024)

/* Of a budget of 16 MiB: what the next size leaves to smaller ones. */
#define LEFT_TO_SMALL (2 * MIB)
#define LEFT_TO_MEDIUM (BUDGET_LARGE_BYTES + REPLY_BYTES) /* an eighth would be too little */
#define LARGE_MAX (16 * MIB - LEFT_TO_SMALL - LEFT_TO_MEDIUM)

/* Of bodies whose length is known. */

static bool reserve(struct budget *budget, uint64_t bytes)
{
    return budget_reserve(budget, (struct budget_body){bytes, bytes});
}

static void release(struct budget *budget, uint64_t bytes)
{
    budget_release(budget, (struct budget_body){bytes, bytes});
}

static unsigned take_all(struct budget *budget, uint64_t body_bytes)
{
    unsigned shares = 0;
    while (reserve(budget, body_bytes))
        shares++;
    return shares;
}

static void release_all(struct budget *budget, uint64_t body_bytes, unsigned shares)
{
    for (; shares > 0; shares--)
        release(budget, body_bytes);
}

static void assert_empty(const struct budget *budget)
{
    assert_int_equal(budget->used_bytes, 0);
    for (unsigned size = 0; size < BUDGET_SIZES; size++)
        assert_int_equal(budget->count[size], 0);
}

static void test_sizes_begin_where_they_say(void **state)
{
    (void)state;
    assert_int_equal(budget_size(0), BUDGET_SMALL);
    assert_int_equal(budget_size(BUDGET_MEDIUM_BYTES - 1), BUDGET_SMALL);
    assert_int_equal(budget_size(BUDGET_MEDIUM_BYTES), BUDGET_MEDIUM);
    assert_int_equal(budget_size(BUDGET_LARGE_BYTES - 1), BUDGET_MEDIUM);
    assert_int_equal(budget_size(BUDGET_LARGE_BYTES), BUDGET_LARGE);
    assert_int_equal(budget_size(UINT32_MAX), BUDGET_LARGE);
}

static void test_a_share_is_the_body_and_a_piece_of_the_reply(void **state)
{
    struct budget budget = {.limit_bytes = 10 * MIB, .reply_bytes = REPLY_BYTES};
    (void)state;
    assert_int_equal(take_all(&budget, 0), 10 * MIB / REPLY_BYTES);
    release(&budget, 0);
    assert_true(reserve(&budget, 0));
    assert_false(reserve(&budget, 0));
}

static void test_medium_bodies_leave_an_eighth_to_small_ones(void **state)
{
    struct budget budget = {.limit_bytes = 16 * MIB, .reply_bytes = REPLY_BYTES};
    (void)state;
    unsigned medium = take_all(&budget, MIB);
    assert_int_equal(medium, 14 * MIB / (MIB + REPLY_BYTES));
    assert_int_equal(budget.count[BUDGET_MEDIUM], medium);
    assert_true(take_all(&budget, BUDGET_MEDIUM_BYTES - 1) > 0);
    assert_true(budget.used_bytes <= budget.limit_bytes);
}

static void test_large_bodies_leave_an_eighth_to_each_smaller_size(void **state)
{
    struct budget budget = {.limit_bytes = 64 * MIB, .reply_bytes = REPLY_BYTES};
    (void)state;
    unsigned large = take_all(&budget, BUDGET_LARGE_BYTES);
    assert_int_equal(large, (64 - 8 - 8) * MIB / (BUDGET_LARGE_BYTES + REPLY_BYTES));
    uint64_t used = budget.used_bytes;
    unsigned medium = take_all(&budget, MIB);
    assert_int_equal(medium, ((64 - 8) * MIB - used) / (MIB + REPLY_BYTES));
    used = budget.used_bytes;
    unsigned small = take_all(&budget, 0);
    assert_int_equal(small, (64 * MIB - used) / REPLY_BYTES);
    release_all(&budget, 0, small);
    release_all(&budget, MIB, medium);
    release_all(&budget, BUDGET_LARGE_BYTES, large);
    assert_empty(&budget);
}

static void test_what_never_fits_is_let_in_as_the_only_large_one(void **state)
{
    struct budget budget = {.limit_bytes = 16 * MIB, .reply_bytes = REPLY_BYTES};
    (void)state;
    assert_true(reserve(&budget, 0));
    assert_true(reserve(&budget, 64 * MIB));
    assert_int_equal(budget.used_bytes, REPLY_BYTES + LARGE_MAX);
    assert_false(reserve(&budget, 64 * MIB));
    assert_false(reserve(&budget, BUDGET_LARGE_BYTES));
    /* smaller ones have their parts still, and the one that was there is among them */
    unsigned medium = take_all(&budget, MIB);
    assert_int_equal(medium, (LEFT_TO_MEDIUM - REPLY_BYTES) / (MIB + REPLY_BYTES));
    unsigned small = take_all(&budget, 0);
    assert_int_equal(small,
                     (16 * MIB - LARGE_MAX - medium * (MIB + REPLY_BYTES)) / REPLY_BYTES - 1);
    release_all(&budget, 0, small);
    release_all(&budget, MIB, medium);
    release(&budget, 64 * MIB);
    assert_true(reserve(&budget, BUDGET_LARGE_BYTES));
    assert_false(reserve(&budget, 64 * MIB));
    release(&budget, BUDGET_LARGE_BYTES);
    release(&budget, 0);
    assert_empty(&budget);
}

/* Of two sizes nothing fits: one of each is there at a time, the larger one first or last. */
static void test_what_never_fits_waits_for_its_size_and_larger_ones(void **state)
{
    struct budget budget = {.limit_bytes = MIB, .reply_bytes = REPLY_BYTES};
    (void)state;
    assert_true(reserve(&budget, 2 * MIB));
    assert_false(reserve(&budget, 2 * MIB));
    assert_true(reserve(&budget, 64 * MIB));
    assert_false(reserve(&budget, 64 * MIB));
    release(&budget, 2 * MIB);
    assert_false(reserve(&budget, 2 * MIB));
    assert_true(reserve(&budget, 0));
    release(&budget, 64 * MIB);
    assert_true(reserve(&budget, 2 * MIB));
    release(&budget, 2 * MIB);
    release(&budget, 0);
    assert_empty(&budget);
}

/* It may be anything up to the whole budget, for others were not there to leave it alone. */
static void test_what_small_ones_hold_does_not_keep_it_out(void **state)
{
    struct budget budget = {.limit_bytes = 16 * MIB, .reply_bytes = REPLY_BYTES};
    (void)state;
    unsigned small = take_all(&budget, 0);
    assert_true(reserve(&budget, 64 * MIB));
    for (; budget.used_bytes > 16 * MIB - REPLY_BYTES; small--) {
        assert_false(reserve(&budget, 0));
        release(&budget, 0);
    }
    assert_true(reserve(&budget, 0));
    assert_true(small > 0);
    release_all(&budget, 0, small + 1);
    release(&budget, 64 * MIB);
    assert_empty(&budget);
}

static void test_larger_bodies_leave_room_for_a_small_one(void **state)
{
    static const uint64_t bodies[] = {BUDGET_MEDIUM_BYTES, MIB, BUDGET_LARGE_BYTES, 64 * MIB};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct budget budget = {.limit_bytes = MIB,
                                .reply_bytes = REPLY_BYTES}; /* an eighth is too little */
        assert_true(take_all(&budget, bodies[i]) > 0);
        assert_true(reserve(&budget, BUDGET_MEDIUM_BYTES - 1));
        assert_true(budget.used_bytes <= budget.limit_bytes);
    }
}

static void test_large_bodies_leave_room_for_a_medium_one(void **state)
{
    static const uint64_t bodies[] = {BUDGET_LARGE_BYTES, 64 * MIB};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        for (uint64_t limit = 6 * MIB; limit <= 256 * MIB; limit += MIB) {
            struct budget budget = {.limit_bytes = limit, .reply_bytes = REPLY_BYTES};
            assert_true(take_all(&budget, bodies[i]) > 0);
            assert_true(reserve(&budget, BUDGET_LARGE_BYTES - 1));
            assert_true(reserve(&budget, BUDGET_MEDIUM_BYTES - 1));
            assert_true(budget.used_bytes <= budget.limit_bytes);
        }
    }
}

static void test_smaller_ones_within_their_part_do_not_count(void **state)
{
    struct budget budget = {.limit_bytes = 16 * MIB, .reply_bytes = REPLY_BYTES};
    unsigned small = (LEFT_TO_SMALL + LEFT_TO_MEDIUM) / REPLY_BYTES;
    (void)state;
    for (unsigned i = 0; i < small; i++)
        assert_true(reserve(&budget, 0));
    assert_true(reserve(&budget, LARGE_MAX - REPLY_BYTES));
    assert_true(budget.used_bytes <= budget.limit_bytes);
    release(&budget, LARGE_MAX - REPLY_BYTES);
    assert_true(reserve(&budget, 0)); /* beyond it they do */
    assert_false(reserve(&budget, LARGE_MAX - REPLY_BYTES));
    release_all(&budget, 0, small + 1);
    assert_empty(&budget);
}

static bool leaves_room(const struct budget *budget, uint64_t bytes, enum budget_size_kind waiting)
{
    return budget_leaves_room(budget, (struct budget_body){bytes, bytes}, waiting);
}

static void test_room_for_larger_ones_is_what_is_not_left_to_smaller_ones(void **state)
{
    struct budget budget = {.limit_bytes = 16 * MIB, .reply_bytes = REPLY_BYTES};
    (void)state;
    assert_true(leaves_room(&budget, BUDGET_LARGE_BYTES - 1, BUDGET_LARGE));
    assert_true(leaves_room(&budget, BUDGET_MEDIUM_BYTES - 1, BUDGET_MEDIUM));
    assert_true(reserve(&budget, LARGE_MAX - REPLY_BYTES)); /* none that is smaller */
    assert_true(leaves_room(&budget, BUDGET_LARGE_BYTES - 1, BUDGET_LARGE));
    release(&budget, LARGE_MAX - REPLY_BYTES);
    unsigned small = LEFT_TO_SMALL / REPLY_BYTES;
    for (unsigned i = 0; i < small; i++)
        assert_true(reserve(&budget, 0));
    assert_false(leaves_room(&budget, 0, BUDGET_MEDIUM));
    assert_true(leaves_room(&budget, 0, BUDGET_LARGE));
    assert_true(reserve(&budget, BUDGET_LARGE_BYTES - 1));
    assert_false(leaves_room(&budget, BUDGET_MEDIUM_BYTES, BUDGET_LARGE));
    release(&budget, BUDGET_LARGE_BYTES - 1);
    release_all(&budget, 0, small);
    assert_empty(&budget);
}

static void test_a_budget_smaller_than_a_share_serves_one_at_a_time(void **state)
{
    struct budget budget = {.limit_bytes = 1, .reply_bytes = REPLY_BYTES};
    (void)state;
    assert_int_equal(take_all(&budget, 0), 1);
    release(&budget, 0);
    assert_int_equal(take_all(&budget, 5), 1);
}

/* Its size is that of the longest that it may become. */
static void test_a_body_of_unknown_length_grows_as_far_as_there_is_room(void **state)
{
    struct budget budget = {.limit_bytes = 64 * MIB, .reply_bytes = REPLY_BYTES};
    const uint64_t limit = (64 - 8 - 8) * MIB;
    struct budget_body body = {100, 64 * MIB};
    (void)state;
    assert_true(budget_reserve(&budget, body));
    assert_int_equal(budget.used_bytes, 100 + REPLY_BYTES);
    assert_int_equal(budget.count[BUDGET_LARGE], 1);
    for (uint64_t bytes = 1000; bytes <= limit - REPLY_BYTES; bytes *= 7) {
        assert_true(budget_grow(&budget, body, bytes, false));
        body.bytes = bytes;
        assert_int_equal(budget.used_bytes, bytes + REPLY_BYTES);
        assert_int_equal(budget.count[BUDGET_LARGE], 1);
    }
    /* it makes room for itself: both together would not fit */
    assert_true(2 * body.bytes > limit / 2);
    assert_true(budget_grow(&budget, body, limit - REPLY_BYTES, false));
    body.bytes = limit - REPLY_BYTES;
    assert_int_equal(budget.used_bytes, limit);
    assert_true(budget_grow(&budget, body, body.bytes, false));
    assert_int_equal(budget.used_bytes, limit);
    budget_release(&budget, body);
    assert_empty(&budget);
}

static void assert_same(const struct budget *budget, const struct budget *before)
{
    assert_int_equal(budget->used_bytes, before->used_bytes);
    for (unsigned size = 0; size < BUDGET_SIZES; size++)
        assert_int_equal(budget->count[size], before->count[size]);
}

/* It grows if it would be let in now as a new one of that length; the oldest does in any case. */
static void test_a_body_that_cannot_grow_stays_as_it_is(void **state)
{
    static const struct {
        uint64_t others, from, to, max;
        bool grows;
    } table[] = {
        {MIB, 100, MIB, 2 * MIB, false}, /* the part of medium ones is used up */
        {MIB, 100, BUDGET_MEDIUM_BYTES, 2 * MIB, false},
        {MIB, 100, 200, 2 * MIB, true},
        {MIB, 100, 200, 64 * MIB, true},      /* medium ones are within what is left to them */
        {MIB, 100, 4 * MIB, 64 * MIB, false}, /* large ones have less */
        {5 * MIB, MIB, 5 * MIB, 64 * MIB, false},
        {5 * MIB, MIB, 64 * MIB, 64 * MIB, false},
        {5 * MIB, MIB, MIB + 1, 64 * MIB, true},
        {5 * MIB, 100, 2 * MIB, 2 * MIB, true}, /* medium ones have their part beside */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (int oldest = 0; oldest < 2; oldest++) {
            struct budget budget = {.limit_bytes = 16 * MIB, .reply_bytes = REPLY_BYTES};
            struct budget_body body = {table[i].from, table[i].max};
            assert_true(budget_reserve(&budget, body));
            unsigned others = take_all(&budget, table[i].others);
            struct budget before = budget;
            bool grown = budget_grow(&budget, body, table[i].to, oldest);
            if (grown != (oldest || table[i].grows))
                fail_msg("row %zu: %s", i, grown ? "grown" : "not grown");
            if (!grown)
                assert_same(&budget, &before);
            body.bytes = grown ? table[i].to : body.bytes;
            budget_release(&budget, body);
            release_all(&budget, table[i].others, others);
            assert_empty(&budget);
        }
    }
}

/* The only large one may become any longer, and counts as all of the rest. */
static void test_the_only_large_one_grows_beyond_the_budget(void **state)
{
    struct budget budget = {.limit_bytes = 16 * MIB, .reply_bytes = REPLY_BYTES};
    struct budget_body body = {BUDGET_LARGE_BYTES, 256 * MIB};
    (void)state;
    assert_true(budget_reserve(&budget, body));
    for (; body.bytes < body.bytes_max; body.bytes *= 2) {
        assert_true(budget_grow(&budget, body, 2 * body.bytes, false));
        assert_true(budget.used_bytes <= LARGE_MAX);
    }
    assert_int_equal(budget.used_bytes, LARGE_MAX);
    assert_false(reserve(&budget, BUDGET_LARGE_BYTES));
    assert_true(reserve(&budget, MIB));
    budget_release(&budget, body);
    release(&budget, MIB);
    assert_empty(&budget);
}

/* Two that grow by turns: each stops where the other one's share begins. */
static void test_bodies_that_grow_do_not_overrun_each_other(void **state)
{
    struct budget budget = {.limit_bytes = 64 * MIB, .reply_bytes = REPLY_BYTES};
    const uint64_t limit = (64 - 8 - 8) * MIB;
    struct budget_body body[2] = {{BUDGET_MEDIUM_BYTES - 1, 64 * MIB},
                                  {BUDGET_MEDIUM_BYTES - 1, 64 * MIB}};
    bool more = true;
    (void)state;
    assert_true(budget_reserve(&budget, body[0]));
    assert_true(budget_reserve(&budget, body[1]));
    while (more) {
        more = false;
        for (unsigned i = 0; i < 2; i++) {
            if (!budget_grow(&budget, body[i], 2 * body[i].bytes, false))
                continue;
            body[i].bytes *= 2;
            more = true;
        }
        assert_int_equal(budget.used_bytes, body[0].bytes + body[1].bytes + 2 * REPLY_BYTES);
        assert_true(budget.used_bytes <= limit);
    }
    assert_true(2 * body[0].bytes + body[1].bytes + 2 * REPLY_BYTES > limit);
    assert_true(body[0].bytes + 2 * body[1].bytes + 2 * REPLY_BYTES > limit);
    budget_release(&budget, body[0]);
    assert_true(budget_grow(&budget, body[1], 2 * body[1].bytes, false));
    body[1].bytes *= 2;
    budget_release(&budget, body[1]);
    assert_empty(&budget);
}

/* All others leave it alone, so it grows to its end and nothing is exceeded. */
static void test_what_the_oldest_may_need_is_kept_for_it(void **state)
{
    struct budget budget = {.limit_bytes = 64 * MIB, .reply_bytes = REPLY_BYTES};
    const uint64_t limit = (64 - 8 - 8) * MIB;
    struct budget_body oldest = {1000, 20 * MIB}, other = {1000, 20 * MIB};
    (void)state;
    assert_true(budget_reserve(&budget, oldest));
    budget_keep(&budget, oldest);
    assert_true(budget_reserve(&budget, other));
    unsigned known = take_all(&budget, BUDGET_LARGE_BYTES);
    assert_int_equal(known, (limit - (20 * MIB + REPLY_BYTES) - (1000 + REPLY_BYTES)) /
                                (BUDGET_LARGE_BYTES + REPLY_BYTES));
    assert_false(budget_grow(&budget, other, BUDGET_LARGE_BYTES, false));
    for (unsigned i = 0; i < 20; i++) {
        assert_true(budget_grow(&budget, oldest, oldest.bytes + MIB - 50, true));
        oldest.bytes += MIB - 50;
        budget_keep(&budget, oldest);
        assert_true(budget.used_bytes <= limit);
        assert_false(reserve(&budget, BUDGET_LARGE_BYTES)); /* what it has got is kept no longer */
    }
    assert_int_equal(oldest.bytes, oldest.bytes_max);
    budget_release(&budget, oldest);
    budget_keep(&budget, other);
    assert_false(budget_grow(&budget, other, limit, false)); /* it is not said to be the oldest */
    release_all(&budget, BUDGET_LARGE_BYTES, known);
    budget_release(&budget, other);
    budget_keep_nothing(&budget);
    assert_empty(&budget);
    assert_int_equal(take_all(&budget, BUDGET_LARGE_BYTES),
                     limit / (BUDGET_LARGE_BYTES + REPLY_BYTES));
}

/* Even if all the budget is not enough for it. */
static void test_smaller_ones_have_their_parts_beside_the_oldest(void **state)
{
    static const uint64_t limits[] = {8 * MIB, 16 * MIB, 64 * MIB, 256 * MIB};
    (void)state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct budget budget = {.limit_bytes = limits[i], .reply_bytes = REPLY_BYTES};
        struct budget_body oldest = {BUDGET_MEDIUM_BYTES - 1, 4096 * MIB};
        assert_true(budget_reserve(&budget, oldest));
        budget_keep(&budget, oldest);
        for (; oldest.bytes < oldest.bytes_max; oldest.bytes *= 2) {
            assert_false(reserve(&budget, BUDGET_LARGE_BYTES));
            unsigned medium = take_all(&budget, BUDGET_LARGE_BYTES - 1),
                     small = take_all(&budget, BUDGET_MEDIUM_BYTES - 1);
            assert_true(medium > 0);
            assert_true(small > 0);
            release_all(&budget, BUDGET_MEDIUM_BYTES - 1, small);
            release_all(&budget, BUDGET_LARGE_BYTES - 1, medium);
            assert_true(budget_grow(&budget, oldest, 2 * oldest.bytes, true));
            budget_keep(&budget, (struct budget_body){2 * oldest.bytes, oldest.bytes_max});
        }
        budget_release(&budget, oldest);
        budget_keep_nothing(&budget);
        assert_empty(&budget);
    }
}

#define SHARES 40
#define BYTES_MAX (1U << 30)

struct share {
    bool reserved;
    struct budget_body body;
    struct share *next; /* of unknown length, oldest first */
};

struct shares {
    struct budget budget;
    struct share list[SHARES], *oldest;
};

static void keep_for_oldest(struct shares *shares)
{
    if (shares->oldest != NULL)
        budget_keep(&shares->budget, shares->oldest->body);
    else
        budget_keep_nothing(&shares->budget);
}

static void begin(struct shares *shares, struct share *share, struct budget_body body)
{
    struct share **last = &shares->oldest;
    share->reserved = budget_reserve(&shares->budget, body);
    share->body = body;
    share->next = NULL;
    while (*last != NULL)
        last = &(*last)->next;
    if (share->reserved && body.bytes < body.bytes_max)
        *last = share;
}

static void end(struct shares *shares, struct share *share)
{
    struct share **at = &shares->oldest;
    while (*at != NULL && *at != share)
        at = &(*at)->next;
    if (*at != NULL)
        *at = share->next;
    budget_release(&shares->budget, share->body);
    share->reserved = false;
}

/* Of all orders of magnitude. */
static uint64_t any_bytes(unsigned *seed)
{
    return ((uint64_t)rand_r(seed) % BYTES_MAX) >> (rand_r(seed) % 31);
}

static void step(struct shares *shares, unsigned *seed)
{
    struct share *share = &shares->list[rand_r(seed) % SHARES];
    uint64_t bytes = any_bytes(seed), bytes_max = rand_r(seed) % 2 == 0 ? bytes : any_bytes(seed);
    bool oldest = share == shares->oldest;
    if (bytes > bytes_max)
        bytes = bytes_max;
    if (!share->reserved) {
        begin(shares, share, (struct budget_body){bytes, bytes_max});
    } else if (bytes > share->body.bytes && bytes <= share->body.bytes_max) {
        bool grown = budget_grow(&shares->budget, share->body, bytes, oldest);
        assert_true(grown || !oldest);
        share->body.bytes = grown ? bytes : share->body.bytes;
    } else if (rand_r(seed) % 2 == 0) {
        end(shares, share);
    }
    keep_for_oldest(shares);
}

/* Whatever the order, nothing is left over; and no more than one body is too much. */
static void test_any_order_of_calls_comes_out_even(void **state)
{
    static const uint64_t limits[] = {1, 300 * 1024, MIB, 16 * MIB, 300 * MIB, 4096 * MIB};
    unsigned seed = 1;
    (void)state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct shares shares = {.budget = {.limit_bytes = limits[i], .reply_bytes = REPLY_BYTES}};
        for (unsigned steps = 0; steps < 20000; steps++) {
            step(&shares, &seed);
            unsigned count = 0;
            for (unsigned j = 0; j < SHARES; j++)
                count += shares.list[j].reserved;
            const unsigned *counts = shares.budget.count;
            assert_int_equal(count,
                             counts[BUDGET_SMALL] + counts[BUDGET_MEDIUM] + counts[BUDGET_LARGE]);
            assert_true(shares.budget.used_bytes <= limits[i] + BYTES_MAX + REPLY_BYTES);
        }
        for (unsigned j = 0; j < SHARES; j++)
            if (shares.list[j].reserved)
                end(&shares, &shares.list[j]);
        assert_empty(&shares.budget);
        assert_null(shares.oldest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_begin_where_they_say),
        cmocka_unit_test(test_a_share_is_the_body_and_a_piece_of_the_reply),
        cmocka_unit_test(test_medium_bodies_leave_an_eighth_to_small_ones),
        cmocka_unit_test(test_large_bodies_leave_an_eighth_to_each_smaller_size),
        cmocka_unit_test(test_what_never_fits_is_let_in_as_the_only_large_one),
        cmocka_unit_test(test_what_never_fits_waits_for_its_size_and_larger_ones),
        cmocka_unit_test(test_what_small_ones_hold_does_not_keep_it_out),
        cmocka_unit_test(test_larger_bodies_leave_room_for_a_small_one),
        cmocka_unit_test(test_large_bodies_leave_room_for_a_medium_one),
        cmocka_unit_test(test_smaller_ones_within_their_part_do_not_count),
        cmocka_unit_test(test_room_for_larger_ones_is_what_is_not_left_to_smaller_ones),
        cmocka_unit_test(test_a_budget_smaller_than_a_share_serves_one_at_a_time),
        cmocka_unit_test(test_a_body_of_unknown_length_grows_as_far_as_there_is_room),
        cmocka_unit_test(test_a_body_that_cannot_grow_stays_as_it_is),
        cmocka_unit_test(test_the_only_large_one_grows_beyond_the_budget),
        cmocka_unit_test(test_bodies_that_grow_do_not_overrun_each_other),
        cmocka_unit_test(test_what_the_oldest_may_need_is_kept_for_it),
        cmocka_unit_test(test_smaller_ones_have_their_parts_beside_the_oldest),
        cmocka_unit_test(test_any_order_of_calls_comes_out_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
