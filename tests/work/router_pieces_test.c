/*
 * Tests of work/router with replies in pieces: they are resumed or abandoned,
 * and a close waits for them until they are overdue. This program brings its
 * own clock_gettime, which can be ahead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <event2/buffer.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "store/error.h"
#include "work/page_cache.h"

static atomic_long ahead_seconds;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int (*real)(clockid_t, struct timespec *);
    *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    now->tv_sec += ahead_seconds;
    return result;
}

static void long_value_comes_in_pieces(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 8, 2);
    append_long(fixture, 0);
    struct request *request = get(fixture, "p", 0, 0);
    assert_int_equal(finish(fixture, request), 0);
    assert_int_equal(request->job.value_bytes, LONG_BYTES);
    assert_int_equal(request->pieces, 4);
    assert_int_equal(request->answers, 4); /* one trip each */
    assert_int_equal(evbuffer_get_length(request->reply), LONG_BYTES);
    assert_memory_equal(evbuffer_pullup(request->reply, -1), long_value, LONG_BYTES);
    free_request(request);
    stop(fixture);
}

static void many_offsets_come_in_pieces(void **state)
{
    static const unsigned count = 20000;
    struct fixture *fixture = *state;
    start(fixture, 2, 8, 2);
    assert_int_equal(finish_and_free(fixture, append(fixture, "p", 0, "the first value")), 0);
    assert_int_equal(finish_and_free(fixture, append(fixture, "p", 0, "2nd")), 0);
    struct request *request = new_request(fixture, JOB_READ_MULTI, 0);
    struct evbuffer *expected = evbuffer_new();
    for (unsigned i = 0; i < count; i++) {
        add_offset(request, i % 3 == 0 ? 31 : 0);
        if (i % 3 == 0)
            assert_int_equal(evbuffer_add(expected,
                                          "\x03\0\0\0"
                                          "2nd",
                                          7),
                             0);
        else
            assert_int_equal(evbuffer_add(expected,
                                          "\x0f\0\0\0"
                                          "the first value",
                                          19),
                             0);
    }
    assert_int_equal(finish(fixture, submit(fixture, "p", request)), 0);
    assert_true(request->pieces > 1);
    size_t bytes = evbuffer_get_length(expected);
    assert_int_equal(evbuffer_get_length(request->reply), bytes);
    assert_memory_equal(evbuffer_pullup(request->reply, -1), evbuffer_pullup(expected, -1), bytes);
    evbuffer_free(expected);
    free_request(request);
    stop(fixture);
}

static void close_waits_for_a_reply_in_pieces(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 8, 2);
    append_long(fixture, 0);
    struct request *multi = paused_multi(fixture), *closing = close_prefix(fixture, "p");
    /* there is one worker: had it got the rest of the close, it had it before these */
    for (int i = 0; i < 3; i++)
        assert_int_equal(finish_and_free(fixture, append(fixture, "q", 0, "y")), 0);
    assert_int_equal(closing->answers, 0);
    assert_true(open_files(fixture) > 0);
    finish_multi(fixture, multi);
    assert_int_equal(finish(fixture, closing), 0);
    assert_int_equal(multi->done_as + 1, closing->done_as);
    assert_int_equal(open_files(fixture), 0);
    free_request(multi);
    free_request(closing);
    stop(fixture);
}

static void close_waits_for_the_last_of_several(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 8, 2);
    append_long(fixture, 0);
    struct request *multis[2] = {paused_multi(fixture), paused_multi(fixture)};
    struct request *closing = close_prefix(fixture, "p");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(finish_and_free(fixture, append(fixture, "q", 0, "y")), 0);
        assert_int_equal(closing->answers, 0);
        finish_multi(fixture, multis[i]);
        free_request(multis[i]);
    }
    assert_int_equal(finish_and_free(fixture, closing), 0);
    stop(fixture);
}

static void close_does_not_wait_for_what_is_abandoned(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 8, 2);
    append_long(fixture, 0);
    struct request *multi = paused_multi(fixture), *closing = close_prefix(fixture, "p");
    assert_int_equal(router_in_flight(fixture->router), 2);
    router_abandon(fixture->router, &multi->job);
    assert_int_equal(router_in_flight(fixture->router), 1);
    assert_int_equal(finish_and_free(fixture, closing), 0);
    assert_int_equal(open_files(fixture), 0);
    assert_int_equal(multi->answers, 1);
    free_request(multi);
    stop(fixture);
}

static void replies_in_pieces_are_overdue_when_a_close_has_waited(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 8, 2);
    append_long(fixture, 0);
    struct request *multi = paused_multi(fixture);
    ahead_seconds += 2 * ROUTER_CLOSE_SECONDS;
    assert_false(router_overdue(&multi->job)); /* nobody waits for it */
    struct request *closing = close_prefix(fixture, "p"), *after = append(fixture, "p", 0, "x");
    assert_false(router_overdue(&multi->job));
    ahead_seconds += ROUTER_CLOSE_SECONDS / 2;
    assert_false(router_overdue(&multi->job));
    ahead_seconds += ROUTER_CLOSE_SECONDS / 2;
    assert_true(router_overdue(&multi->job));
    router_abandon(fixture->router, &multi->job);
    assert_int_equal(finish_and_free(fixture, closing), 0);
    assert_int_equal(finish_and_free(fixture, after), 0);
    free_request(multi);
    multi = paused_multi(fixture); /* of the prefix that the append has opened */
    assert_false(router_overdue(&multi->job));
    router_abandon(fixture->router, &multi->job);
    free_request(multi);
    stop(fixture);
}

static void abandoned_job_gives_its_place_back(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 1, 2);
    append_long(fixture, 0);
    for (int round = 0; round < 5; round++) {
        struct request *multi = paused_multi(fixture);
        assert_int_equal(finish_and_free(fixture, append(fixture, "p", 1, "x")),
                         JOB_TOO_MANY_IN_FLIGHT);
        router_abandon(fixture->router, &multi->job);
        free_request(multi);
        assert_int_equal(router_in_flight(fixture->router), 0);
        assert_int_equal(finish_and_free(fixture, append(fixture, "p", 1, "x")), 0);
    }
    stop(fixture);
}

static void multi_says_which_offset_was_bad(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 8, 2);
    assert_int_equal(finish_and_free(fixture, append(fixture, "p", 0, "good")), 0);
    struct request *request = new_request(fixture, JOB_READ_MULTI, 0);
    add_offset(request, 0);
    add_offset(request, 7);
    add_offset(request, 0);
    assert_int_equal(finish(fixture, submit(fixture, "p", request)), STORE_NOT_FOUND);
    assert_int_equal(request->job.offset, 7);
    assert_int_equal(request->answers, 1);
    assert_int_equal(evbuffer_get_length(request->reply), 8);
    assert_memory_equal(evbuffer_pullup(request->reply, -1), "\x04\0\0\0good", 8);
    free_request(request);
    stop(fixture);
}

/* The value has begun; for the rest its file has to be opened again and is not there. */
static void multi_whose_file_cannot_be_opened_again(void **state)
{
    struct fixture *fixture = *state;
    fixture->max_files = 0; /* and one of each worker */
    start(fixture, 1, 8, 2);
    append_long(fixture, 0);
    struct request *multi = paused_multi(fixture);
    size_t begun = evbuffer_get_length(multi->reply);
    assert_int_equal(finish_and_free(fixture, append(fixture, "q", 0, "x")), 0);
    assert_int_equal(unlink(temporary_path(fixture->directory, "p/append.0.raw")), 0);
    router_resume(fixture->router, &multi->job);
    assert_int_equal(finish(fixture, multi), STORE_NOT_FOUND);
    assert_int_equal(evbuffer_get_length(multi->reply), begun);
    assert_true(multi->job.partial_bytes == begun);
    free_request(multi);
    stop(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(long_value_comes_in_pieces),
        TEST(many_offsets_come_in_pieces),
        TEST(multi_says_which_offset_was_bad),
        TEST(multi_whose_file_cannot_be_opened_again),
        TEST(close_waits_for_a_reply_in_pieces),
        TEST(close_waits_for_the_last_of_several),
        TEST(close_does_not_wait_for_what_is_abandoned),
        TEST(replies_in_pieces_are_overdue_when_a_close_has_waited),
        TEST(abandoned_job_gives_its_place_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
