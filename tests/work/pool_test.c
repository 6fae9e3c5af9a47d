/*
 * Tests of work/pool: no wake-up is lost, whichever of loop and workers falls asleep when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#include "work/loop.h"

/*
 * Clients that append, read what they have appended and now and then close, each with its next
 * step from inside `done`, so that loop and workers fall asleep and wake each other all the time.
 */
struct client {
    struct request request;
    struct fixture *fixture;
    unsigned number, steps_left;
    char value[16];
};

static void client_step(struct job *job)
{
    struct client *client = (struct client *)(void *)job;
    assert_int_equal(job->error, 0);
    if (job->kind == JOB_READ) {
        assert_int_equal(job->small_bytes, strlen(client->value));
        assert_memory_equal(job->small, client->value, job->small_bytes);
    }
    if (client->steps_left == 0)
        return;
    client->steps_left--;
    if (job->kind == JOB_APPEND) {
        job->kind = JOB_READ; /* at the offset that was answered */
    } else if (job->kind == JOB_READ && client->steps_left % 50 == 0) {
        job->kind = JOB_CLOSE;
    } else {
        job->kind = JOB_APPEND;
        job->id_hash.xxh3 = client->steps_left / 3;
        (void)snprintf(client->value, sizeof(client->value), "%u/%u", client->number,
                       client->steps_left);
        (void)evbuffer_drain(job->value, evbuffer_get_length(job->value));
        assert_int_equal(evbuffer_add(job->value, client->value, strlen(client->value)), 0);
    }
    static const char *const prefixes[] = {"p", "q", "r"};
    router_submit(client->fixture->router, prefixes[client->number % 3], job);
}

static void run_clients(struct fixture *fixture, unsigned count, unsigned steps)
{
    static struct client clients[64];
    for (unsigned i = 0; i < count; i++) {
        clients[i] = (struct client){.fixture = fixture, .number = i, .steps_left = steps};
        clients[i].request.job = (struct job){.kind = JOB_CLOSE, .done = client_step};
        clients[i].request.job.value = evbuffer_new();
        client_step(&clients[i].request.job);
    }
    while (router_in_flight(fixture->router) > 0)
        turn(fixture);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(clients[i].steps_left, 0);
        evbuffer_free(clients[i].request.job.value);
    }
}

static void no_wake_up_is_lost(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 64, 5);
    run_clients(fixture, 1, 6000);
    run_clients(fixture, 2, 4000);
    run_clients(fixture, 7, 1500);
    run_clients(fixture, 64, 300);
    stop(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_wake_up_is_lost, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
