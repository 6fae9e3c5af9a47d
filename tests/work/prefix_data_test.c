/*
 * Tests of the caller's data in an open prefix: each prefix has its own, it stays as long as the
 * prefix is open, and it is freed exactly once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "work/loop.h"
#include "work/prefix_data.h"

struct counted {
    unsigned freed;
};

static void count_free(void *data)
{
    struct counted *counted = data;
    counted->freed++;
}

/* What `done` has found in the job's prefix, and what it puts there. */
struct visit {
    struct request request; /* first: `done` gets its address */
    struct counted *put;
    void *found;
    unsigned buckets;
    int error;
};

static void visit_done(struct job *job)
{
    struct visit *visit = (struct visit *)(void *)job;
    visit->buckets = prefix_data_buckets(job);
    visit->found = prefix_data_get(job);
    visit->error = 0;
    if (visit->put != NULL) {
        visit->error = prefix_data_set(job, visit->put, count_free);
        if (visit->error == 0)
            assert_ptr_equal(prefix_data_get(job), visit->put);
    }
    visit->request.done_as = 1;
}

/* A request that looks into the prefix when it is done, and puts `put` there if it is not NULL. */
static struct visit visit(struct fixture *fixture, enum job_kind kind, const char *prefix,
                          struct counted *put)
{
    struct visit visit = {.put = put};
    visit.request.job.kind = kind;
    visit.request.job.done = visit_done;
    visit.request.job.value = evbuffer_new();
    assert_int_equal(evbuffer_add(visit.request.job.value, "value", 5), 0);
    router_submit(fixture->router, prefix, &visit.request.job);
    (void)finish(fixture, &visit.request);
    evbuffer_free(visit.request.job.value);
    return visit;
}

static void data_is_there_until_the_prefix_is_closed(void **state)
{
    struct fixture *fixture = *state;
    struct counted counted = {0};
    start(fixture, 2, 8, 7);
    struct visit first = visit(fixture, JOB_APPEND, "p", &counted);
    assert_null(first.found);
    assert_int_equal(first.buckets, 7);
    assert_int_equal(first.error, 0);
    assert_ptr_equal(visit(fixture, JOB_READ, "p", NULL).found, &counted);
    assert_ptr_equal(visit(fixture, JOB_APPEND, "p", NULL).found, &counted);
    assert_int_equal(counted.freed, 0);
    assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "p")), 0);
    assert_int_equal(counted.freed, 1);
    struct visit anew = visit(fixture, JOB_READ, "p", NULL);
    assert_null(anew.found);
    assert_int_equal(anew.buckets, 7);
    stop(fixture);
    assert_int_equal(counted.freed, 1);
}

static void each_prefix_has_its_own(void **state)
{
    struct fixture *fixture = *state;
    struct counted counted[2] = {{0}, {0}};
    start(fixture, 1, 8, 2);
    (void)visit(fixture, JOB_APPEND, "p", &counted[0]);
    (void)visit(fixture, JOB_APPEND, "q", &counted[1]);
    assert_ptr_equal(visit(fixture, JOB_READ, "p", NULL).found, &counted[0]);
    assert_ptr_equal(visit(fixture, JOB_READ, "q", NULL).found, &counted[1]);
    assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "q")), 0);
    assert_int_equal(counted[0].freed, 0);
    assert_int_equal(counted[1].freed, 1);
    stop(fixture); /* with the other still open */
    assert_int_equal(counted[0].freed, 1);
    assert_int_equal(counted[1].freed, 1);
}

static void data_that_is_replaced_is_freed(void **state)
{
    struct fixture *fixture = *state;
    struct counted counted[2] = {{0}, {0}};
    start(fixture, 1, 8, 2);
    (void)visit(fixture, JOB_APPEND, "p", &counted[0]);
    assert_ptr_equal(visit(fixture, JOB_APPEND, "p", &counted[1]).found, &counted[0]);
    assert_int_equal(counted[0].freed, 1);
    assert_int_equal(counted[1].freed, 0);
    assert_ptr_equal(visit(fixture, JOB_READ, "p", NULL).found, &counted[1]);
    stop(fixture);
    assert_int_equal(counted[0].freed, 1);
    assert_int_equal(counted[1].freed, 1);
}

/* The first is the one that the close waits for. */
static void job_before_a_close_may_still_set_it(void **state)
{
    struct fixture *fixture = *state;
    struct counted counted = {0};
    start(fixture, 1, 8, 2);
    struct visit visit = {.put = &counted};
    visit.request.job.kind = JOB_APPEND;
    visit.request.job.done = visit_done;
    visit.request.job.value = evbuffer_new();
    assert_int_equal(evbuffer_add(visit.request.job.value, "value", 5), 0);
    router_submit(fixture->router, "p", &visit.request.job);
    assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "p")), 0);
    assert_int_equal(visit.request.done_as, 1);
    assert_int_equal(visit.error, 0);
    assert_int_equal(counted.freed, 1);
    evbuffer_free(visit.request.job.value);
    stop(fixture);
}

static void prefix_that_is_not_open_has_none(void **state)
{
    struct fixture *fixture = *state;
    struct counted counted = {0};
    start(fixture, 1, 8, 2);
    struct visit missing = visit(fixture, JOB_READ, "p", &counted);
    assert_int_equal(missing.error, -EINVAL);
    assert_int_equal(missing.buckets, 0);
    assert_null(missing.found);
    struct visit closed = visit(fixture, JOB_CLOSE, "p", &counted);
    assert_int_equal(closed.error, -EINVAL);
    stop(fixture);
    assert_int_equal(counted.freed, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(data_is_there_until_the_prefix_is_closed), TEST(each_prefix_has_its_own),
        TEST(data_that_is_replaced_is_freed),           TEST(job_before_a_close_may_still_set_it),
        TEST(prefix_that_is_not_open_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
