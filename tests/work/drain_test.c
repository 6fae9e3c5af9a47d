/*
 * Tests of the order of work in one drain of a worker: who waits for whom, and for how much.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "work/page_cache.h"
#include "work/reader.h"

/* One worker: a short append does not wait for the end of a long reply. */
static void append_is_served_between_two_pieces(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 8, 2);
    append_long(fixture, 0);
    struct request *read = get(fixture, "p", 0, 0), *write = append(fixture, "p", 0, "x");
    assert_int_equal(finish(fixture, read), 0);
    assert_int_equal(finish(fixture, write), 0);
    assert_true(write->done_as < read->done_as);
    free_request(read);
    free_request(write);
    stop(fixture);
}

static struct request *multi_of(struct fixture *fixture, unsigned count)
{
    struct request *multi = new_request(fixture, JOB_READ_MULTI, 0);
    for (unsigned i = 0; i < count; i++)
        add_offset(multi, 0);
    return submit(fixture, "p", multi);
}

/* With other cached reads, before the appends of that drain. */
static void cached_multi_is_done_in_the_drain_it_came_in(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 8, 2);
    assert_int_equal(finish_and_free(fixture, append(fixture, "p", 0, "the first value")), 0);
    struct request *holding = hold_worker(fixture);
    struct request *write = append(fixture, "p", 0, "x"), *multi = multi_of(fixture, 100);
    assert_int_equal(sem_post(&release), 0);
    assert_int_equal(finish(fixture, write), 0);
    assert_int_equal(finish(fixture, multi), 0);
    assert_int_equal(multi->answers, 1);
    assert_int_equal(evbuffer_get_length(multi->reply), 100 * 19);
    assert_int_equal(multi->done_as + 1, write->done_as);
    free_request(write);
    free_request(multi);
    assert_int_equal(finish_and_free(fixture, holding), 0);
    stop(fixture);
}

#define MULTIS 50
#define VALUES_EACH 100

/* Of many cached getMultis in a drain only so many values are read before the append. */
static void append_does_not_wait_for_many_cached_multis(void **state)
{
    struct fixture *fixture = *state;
    struct request *multis[MULTIS];
    start(fixture, 1, 2 * MULTIS, 2);
    assert_int_equal(finish_and_free(fixture, append(fixture, "p", 0, "the first value")), 0);
    struct request *holding = hold_worker(fixture);
    for (unsigned i = 0; i < MULTIS; i++)
        multis[i] = multi_of(fixture, VALUES_EACH);
    struct request *write = append(fixture, "p", 0, "x");
    assert_int_equal(sem_post(&release), 0);
    for (unsigned i = 0; i < MULTIS; i++) {
        assert_int_equal(finish(fixture, multis[i]), 0);
        assert_int_equal(evbuffer_get_length(multis[i]->reply), VALUES_EACH * 19);
    }
    assert_int_equal(finish(fixture, write), 0);
    /* after the read that held the worker and those within the quota */
    assert_int_equal(write->done_as, holding->done_as + READER_QUOTA_VALUES / VALUES_EACH + 1);
    for (unsigned i = 1; i < MULTIS; i++)
        assert_true(multis[i]->done_as > multis[i - 1]->done_as);
    for (unsigned i = 0; i < MULTIS; i++)
        free_request(multis[i]);
    free_request(write);
    free_request(holding);
    stop(fixture);
}

/* A getMulti that waits for the disk again and again must not hold up the append before it. */
static void append_does_not_wait_for_a_reply_being_read(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 8, 2);
    assert_int_equal(finish_and_free(fixture, append(fixture, "p", 0, "the first value")), 0);
    struct request *multi = new_request(fixture, JOB_READ_MULTI, 0);
    for (unsigned i = 0; i < 10000; i++)
        add_offset(multi, 0);
    struct request *write = append(fixture, "p", 0, "x");
    (void)submit(fixture, "p", multi);
    assert_int_equal(finish(fixture, multi), 0);
    assert_int_equal(write->done_as + 1, multi->done_as);
    assert_int_equal(evbuffer_get_length(multi->reply), 10000 * 19);
    free_request(multi);
    free_request(write);
    stop(fixture);
}

#define WARM_TEST(name) cmocka_unit_test_setup_teardown(name, warm_set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(append_is_served_between_two_pieces),
        WARM_TEST(cached_multi_is_done_in_the_drain_it_came_in),
        WARM_TEST(append_does_not_wait_for_many_cached_multis),
        TEST(append_does_not_wait_for_a_reply_being_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
