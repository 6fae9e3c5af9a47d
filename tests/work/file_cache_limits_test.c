/*
 * Tests of work/file_cache: never more files are open than may be, and the least recently used ones
 * are suspended, also when there is no descriptor left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "work/slots.h"

static void least_recently_used_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    fixture->cache.limit = 3;
    static const struct {
        unsigned index;
        const char *opened;
    } steps[] = {{0, "a"},   {1, "ab"},  {2, "abc"}, {0, "abc"}, {3, "acd"}, {4, "ade"},
                 {3, "ade"}, {0, "ade"}, {1, "abd"}, {1, "abd"}, {2, "abc"}, {3, "bcd"}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        assert_int_equal(append(fixture, steps[i].index), 0);
        assert_string_equal(opened(fixture), steps[i].opened);
    }
}

static void closed_file_leaves_its_place_in_the_order(void **state)
{
    struct fixture *fixture = *state;
    fixture->cache.limit = 4;
    for (unsigned closed = 0; closed < 4; closed++) { /* the oldest, in between, the newest */
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(append(fixture, i), 0);
        file_cache_close(&fixture->cache, &fixture->slots[closed]);
        assert_int_equal(append(fixture, 4), 0);
        assert_int_equal(append(fixture, 5), 0); /* the oldest of those that were left goes */
        assert_string_equal(opened(fixture), closed == 0   ? "cdef"
                                             : closed == 1 ? "cdef"
                                             : closed == 2 ? "bdef"
                                                           : "bcef");
        for (unsigned i = 0; i < BUCKETS; i++) /* suspended ones too */
            file_cache_close(&fixture->cache, &fixture->slots[i]);
        assert_string_equal(opened(fixture), "");
        assert_null(fixture->cache.newest);
        assert_null(fixture->cache.oldest);
    }
}

/* The process has no descriptor left, whatever the limit says: one is given up for each. */
static void no_descriptor_left(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(append(fixture, i), 0);
    assert_string_equal(opened(fixture), "abcd");
    /* numbers are given lowest first: the first takes the place of a directory, over the files */
    int place = dup(0), next = dup(0), error;
    assert_true(place > 0 && next > place && close(next) == 0);
    few = (struct rlimit){(rlim_t)next, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < BUCKETS; i++)
            if ((error = append(fixture, i)) != 0)
                goto fail;
    /* to open a file takes two for a moment: its directory */
    assert_string_equal(opened(fixture), "fgh");
    for (unsigned i = 0; i < BUCKETS; i++)
        assert_int_equal(bucket_tail(fixture->slots[i].bucket), (i < 4 ? 4 : 3) * RECORD_BYTES);
    few.rlim_cur = 3; /* and now there is none to be had */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    error = append(fixture, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(error, -EMFILE);
    assert_string_equal(opened(fixture), "");
    append_all(fixture);
    assert_int_equal(close(place), 0);
    return;
fail:
    (void)setrlimit(RLIMIT_NOFILE, &before); /* or nothing more could be said */
    assert_int_equal(error, 0);
}

static void system_has_no_descriptor_left(void **state)
{
    struct fixture *fixture = *state;
    unsigned others = BUCKETS - 1;
    append_all(fixture);
    for (int call = 1; call <= 2; call++) { /* opening the directory, then the file */
        file_cache_close(&fixture->cache, &fixture->slots[BUCKETS - 1]);
        failing_arm(&fail_openat64, call, ENFILE);
        assert_int_equal(append(fixture, BUCKETS - 1), 0);
        assert_true(failing_disarm(&fail_openat64));
        assert_int_equal(fixture->cache.open, others--);
        failing_arm(&fail_openat64, call, ENFILE);
        assert_int_equal(append(fixture, (unsigned)call - 1), 0); /* it had been given up */
        assert_true(failing_disarm(&fail_openat64));
        assert_int_equal(fixture->cache.open, others + 1);
    }
}

static void only_want_of_descriptors_gives_one_up(void **state)
{
    struct fixture *fixture = *state;
    static const int others[] = {0, -ENOENT, -EIO, -ENOMEM, -EAGAIN, EMFILE};
    assert_false(file_cache_free_descriptor(&fixture->cache, -EMFILE)); /* there is none */
    assert_int_equal(append(fixture, 0), 0);
    assert_int_equal(append(fixture, 1), 0);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(file_cache_free_descriptor(&fixture->cache, others[i]));
    assert_string_equal(opened(fixture), "ab");
    assert_true(file_cache_free_descriptor(&fixture->cache, -ENFILE));
    assert_string_equal(opened(fixture), "b");
    assert_true(file_cache_free_descriptor(&fixture->cache, -EMFILE));
    assert_string_equal(opened(fixture), "");
    assert_false(file_cache_free_descriptor(&fixture->cache, -EMFILE));
}

#define LIMIT 5

/* Against a list that is kept by moving to its end what is used. */
static void order_is_that_of_use(void **state)
{
    struct fixture *fixture = *state;
    unsigned order[LIMIT], appends[BUCKETS] = {0}, random = 1;
    fixture->cache.limit = LIMIT;
    for (unsigned i = 0; i < LIMIT; i++) {
        assert_int_equal(open_one(fixture, i, true), 0);
        order[i] = i;
    }
    for (unsigned step = 0; step < 5000; step++) {
        random = random * 1103515245 + 12345;
        unsigned index = random >> 16 & (BUCKETS - 1), at = 0;
        while (at < LIMIT && order[at] != index)
            at++;
        if (at == LIMIT)
            at = 0; /* it is not open: the oldest goes */
        memmove(order + at, order + at + 1, (LIMIT - at - 1) * sizeof(order[0]));
        order[LIMIT - 1] = index;
        assert_int_equal(append(fixture, index), 0);
        assert_int_equal(fixture->batch.records[0].offset, appends[index]++ * RECORD_BYTES);
        assert_int_equal(fixture->cache.open, LIMIT);
        for (unsigned i = 0; i < LIMIT; i++)
            assert_false(bucket_suspended(fixture->slots[order[i]].bucket));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLOTS_TEST(least_recently_used_is_given_up),
        SLOTS_TEST(closed_file_leaves_its_place_in_the_order),
        SLOTS_TEST(no_descriptor_left),
        SLOTS_TEST(system_has_no_descriptor_left),
        SLOTS_TEST(only_want_of_descriptors_gives_one_up),
        SLOTS_TEST(order_is_that_of_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
