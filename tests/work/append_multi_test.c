/*
 * Tests of lists of values, and of appends that expect an end, in a worker: in which order they are
 * written, what a sync means for them, and what is done about a prefix that is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <endian.h>

#include "lib/failing.h"
#include "work/syncs.h"

FAILING_EVBUFFER_NEW
FAILING(evbuffer_reserve_space, int, -1,
        (struct evbuffer * buffer, ev_ssize_t bytes, struct evbuffer_iovec *room, int count),
        (buffer, bytes, room, count))
FAILING_REALLOCARRAY

/* Two values, 22 and 24 bytes as records. */
static const char list[] = "\6\0\0\0second\x8\0\0\0the last";
#define LIST_BYTES (sizeof(list) - 1)

static struct request *expecting(struct request *request, int64_t end)
{
    request->job.expects = true;
    request->job.expected = end;
    return request;
}

static struct request *new_list(struct fixture *fixture, uint64_t id_hash, bool sync)
{
    struct request *request = new_request(fixture, JOB_APPEND_MULTI, id_hash);
    for (size_t i = 0; i < LIST_BYTES; i++) /* a chain for each byte, by reference: only read */
        assert_int_equal(evbuffer_add_reference(request->job.value, list + i, 1, NULL, NULL), 0);
    request->job.values.found =
        (struct value_list_content){.count = 2, .last_bytes = 8, .value_bytes = 14};
    request->job.sync = sync;
    return request;
}

/* 20 bytes as a record. */
static struct request *new_append(struct fixture *fixture, uint64_t id_hash, bool sync)
{
    struct request *request = new_request(fixture, JOB_APPEND, id_hash);
    assert_int_equal(evbuffer_add(request->job.value, "1234", 4), 0);
    request->job.sync = sync;
    return request;
}

static void assert_offsets(const struct request *request, uint64_t first)
{
    uint64_t offsets[2];
    assert_int_equal(evbuffer_get_length(request->reply), sizeof(offsets));
    assert_int_equal(evbuffer_copyout(request->reply, offsets, sizeof(offsets)), sizeof(offsets));
    assert_int_equal(le64toh(offsets[0]), first);
    assert_int_equal(le64toh(offsets[1]), first + 22);
}

/* They wait for the same sync, so they are one drain. */
static void they_are_written_in_the_order_in_which_they_came(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 16, 4);
    struct request *first = hold_in_sync(fixture);
    struct request *all[] = {
        submit(fixture, "p", new_append(fixture, 1, false)),
        submit(fixture, "p", new_list(fixture, 1, false)),
        submit(fixture, "p", expecting(new_append(fixture, 1, false), 40)),
        submit(fixture, "p", expecting(new_append(fixture, 1, false), 86)),
        submit(fixture, "p", expecting(new_list(fixture, 1, false), 86)),
        submit(fixture, "p", expecting(new_list(fixture, 1, false), 106)),
        submit(fixture, "p", new_append(fixture, 1, false)),
    };
    static const int errors[] = {0, 0, STORE_OTHER_END, 0, STORE_OTHER_END, 0, 0};
    static const int64_t ends[] = {20, 40, 86, 86, 106, 106, 152};
    assert_int_equal(sem_post(&data_syncs.released), 0);
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(finish(fixture, all[i]), errors[i]);
        assert_int_equal(all[i]->job.offset, ends[i]);
        if (all[i]->job.kind == JOB_APPEND_MULTI && errors[i] == 0)
            assert_offsets(all[i], (uint64_t)ends[i]);
    }
    for (unsigned i = 0; i < 7; i++)
        free_request(all[i]);
    assert_int_equal(finish_and_free(fixture, first), 0);
    assert_int_equal(bytes_of(fixture, "p/append.1.raw"), 172);
    assert_int_equal(read_at(fixture, "p", 1, 106 + 22), 0);
    stop(fixture);
}

/* However it is asked for. */
static void a_list_is_one_sync(void **state)
{
    struct fixture *fixture = *state;
    for (int always = 0; always < 2; always++) {
        fixture->sync_after_ms = always ? 0 : -1;
        start(fixture, 1, 8, 4);
        unsigned before = count(&data_syncs);
        struct request *request = submit(fixture, "p", new_list(fixture, 0, !always));
        assert_int_equal(finish(fixture, request), 0);
        assert_offsets(request, always ? 46 : 0);
        free_request(request);
        assert_int_equal(count(&data_syncs), before + 1);
        stop(fixture);
    }
}

/* All are taken back, and with them the end that a 412 was about; one about an end that is still
 * there stays. */
static void a_sync_that_fails_takes_all_back(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 16, 4);
    struct request *first = hold_in_sync(fixture);
    struct request *all[] = {
        submit(fixture, "p", expecting(new_list(fixture, 1, true), 7)),
        submit(fixture, "p", expecting(new_list(fixture, 1, true), 20)),
        submit(fixture, "p", expecting(new_append(fixture, 1, true), 20)),
        submit(fixture, "p", new_list(fixture, 1, true)),
    };
    atomic_store(&data_syncs.held, false);
    fail_from(&data_syncs, 1, EIO); /* not the one that is under way */
    assert_int_equal(sem_post(&data_syncs.released), 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(finish(fixture, all[i]), i == 0 ? STORE_OTHER_END : -EIO);
        assert_int_equal(all[i]->job.sync, i != 0);
    }
    assert_int_equal(all[0]->job.offset, 20);
    for (unsigned i = 0; i < 4; i++)
        free_request(all[i]);
    assert_int_equal(finish_and_free(fixture, first), 0);
    assert_int_equal(bytes_of(fixture, "p/append.1.raw"), 20);
    stop(fixture);
}

static bool exists(const struct fixture *fixture, const char *name)
{
    struct stat status;
    return stat(temporary_path(fixture->directory, name), &status) == 0;
}

/* Its end is 0, and it is made by an append that may succeed only; whoever comes first. */
static void a_missing_prefix_ends_at_0(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 16, 4);
    struct request *alone = submit(fixture, "p", expecting(new_append(fixture, 0, false), 20));
    assert_int_equal(finish(fixture, alone), STORE_OTHER_END);
    assert_int_equal(alone->job.offset, 0);
    assert_false(alone->job.has_bucket);
    free_request(alone);
    assert_false(exists(fixture, "p"));

    struct request *refused = submit(fixture, "p", expecting(new_list(fixture, 0, false), 20));
    struct request *made = submit(fixture, "p", expecting(new_list(fixture, 0, false), 0));
    struct request *next = submit(fixture, "p", expecting(new_list(fixture, 0, false), 46));
    assert_int_equal(finish_and_free(fixture, refused), STORE_OTHER_END);
    assert_int_equal(finish(fixture, made), 0);
    assert_offsets(made, 0);
    free_request(made);
    assert_int_equal(finish(fixture, next), 0); /* it came after it */
    assert_offsets(next, 46);
    free_request(next);
    stop(fixture);
}

static void a_deleted_prefix_ends_at_0(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 16, 4);
    assert_int_equal(finish_and_free(fixture, submit(fixture, "p", new_list(fixture, 0, false))),
                     0);
    assert_int_equal(temporary_empty(temporary_path(fixture->directory, "p")), 0);
    struct request *refused = submit(fixture, "p", expecting(new_list(fixture, 0, false), 46));
    assert_int_equal(finish(fixture, refused), STORE_OTHER_END);
    assert_int_equal(refused->job.offset, 0);
    free_request(refused);
    assert_false(exists(fixture, "p"));
    struct request *made = submit(fixture, "p", new_list(fixture, 0, false));
    assert_int_equal(finish(fixture, made), 0);
    assert_offsets(made, 0);
    free_request(made);
    stop(fixture);
}

static struct request *check(struct fixture *fixture, const char *body, size_t bytes)
{
    struct request *request = new_request(fixture, JOB_CHECK_VALUES, 0);
    assert_int_equal(evbuffer_add(request->job.value, body, bytes), 0);
    request->job.values.limits = (struct value_list_limits){2, 8};
    router_check_values(fixture->router, &request->job);
    assert_int_equal(request->answers, 0); /* never from inside the call */
    return request;
}

/* Workers look at lists in turn, and admission counts these too. */
static void lists_are_looked_at_by_workers(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 1, 4);
    struct request *good = check(fixture, list, LIST_BYTES);
    struct request *cut = check(fixture, list, LIST_BYTES - 1);
    struct request *third = check(fixture, list, LIST_BYTES);
    assert_int_equal(router_in_flight(fixture->router), 3);
    assert_int_equal(finish(fixture, third), JOB_TOO_MANY_IN_FLIGHT);
    assert_int_equal(finish(fixture, good), 0);
    assert_int_equal(good->job.values.found.fault, VALUE_LIST_GOOD);
    assert_int_equal(good->job.values.found.count, 2);
    assert_int_equal(finish(fixture, cut), 0);
    assert_int_equal(cut->job.values.found.fault, VALUE_LIST_CUT_VALUE);
    assert_int_equal(cut->job.values.found.count, 1);
    assert_false(exists(fixture, "p"));
    free_request(good);
    free_request(cut);
    free_request(third);
    struct request *later = check(fixture, list, LIST_BYTES); /* all were let go of */
    assert_int_equal(finish_and_free(fixture, later), 0);
    stop(fixture);
}

/* Before anything is written: the Nth call for memory fails, for N = 1, 2, ... until none does. */
static void no_memory_is_no_append(void **state)
{
    struct fixture *fixture = *state;
    struct failing *const calls[] = {&fail_evbuffer_new, &fail_evbuffer_reserve_space};
    start(fixture, 1, 8, 1);
    assert_int_equal(appended(fixture, "p", 0, false), 0);
    off_t bytes = 20;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        for (int failures = 0, nth = 1, failed = 1; failed; nth++) {
            struct request *request = new_list(fixture, 0, false);
            failing_arm(calls[i], nth, ENOMEM);
            int error = finish(fixture, submit(fixture, "p", request));
            failed = failing_disarm(calls[i]);
            assert_int_equal(error, failed ? -ENOMEM : 0);
            if (!failed)
                assert_offsets(request, (uint64_t)bytes);
            free_request(request);
            bytes += failed ? 0 : 46;
            assert_int_equal(bytes_of(fixture, "p/append.0.raw"), bytes);
            failures += failed;
            assert_true(failures > 0);
        }
    }
    stop(fixture);
}

/* For a list in so many segments that they are not looked at on the stack. */
static void no_memory_to_look_at_a_list(void **state)
{
    static const char value[] = "\1\0\0\0v";
    struct fixture *fixture = *state;
    start(fixture, 1, 8, 1);
    for (int failing = 0; failing < 2; failing++) {
        struct request *request = new_request(fixture, JOB_CHECK_VALUES, 0);
        for (int i = 0; i < 500; i++) /* a chain for each byte */
            assert_int_equal(
                evbuffer_add_reference(request->job.value, &value[i % 5], 1, NULL, NULL), 0);
        request->job.values.limits = (struct value_list_limits){100, 1};
        failing_arm(&fail_reallocarray, failing, ENOMEM);
        router_check_values(fixture->router, &request->job);
        assert_int_equal(finish(fixture, request), failing ? -ENOMEM : 0);
        assert_int_equal(failing_disarm(&fail_reallocarray), failing);
        if (!failing)
            assert_int_equal(request->job.values.found.count, 100);
        free_request(request);
    }
    stop(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SYNC_TEST(they_are_written_in_the_order_in_which_they_came),
        SYNC_TEST(a_list_is_one_sync),
        SYNC_TEST(a_sync_that_fails_takes_all_back),
        SYNC_TEST(a_missing_prefix_ends_at_0),
        SYNC_TEST(a_deleted_prefix_ends_at_0),
        SYNC_TEST(lists_are_looked_at_by_workers),
        SYNC_TEST(no_memory_is_no_append),
        SYNC_TEST(no_memory_to_look_at_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
