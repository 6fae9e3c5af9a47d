/*
 * Tests of work/ring: a bounded queue first in one thread, then between two.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "work/ring.h"

/* Elements of the stress tests. */
#define MANY 3000000

static int elements[4096];

static void new_ring_is_empty(void **state)
{
    (void)state;
    struct ring *ring = ring_new(4);
    assert_non_null(ring);
    assert_false(ring_count(ring) > 0);
    assert_null(ring_pop(ring));
    assert_null(ring_pop(ring));
    ring_free(ring);
    ring_free(NULL);
}

static void capacity_is_at_least_what_was_asked_for(void **state)
{
    (void)state;
    for (size_t capacity = 1; capacity <= 70; capacity++) {
        struct ring *ring = ring_new(capacity);
        size_t room = 0;
        while (room < 4096 && ring_push(ring, &elements[room]))
            room++;
        assert_true(room >= capacity);
        assert_true(room < 2 * capacity); /* the next power of two */
        /* full: nothing is taken, nothing is overwritten */
        assert_false(ring_push(ring, &elements[4095]));
        for (size_t i = 0; i < room; i++)
            assert_ptr_equal(ring_pop(ring), &elements[i]);
        assert_null(ring_pop(ring));
        ring_free(ring);
    }
}

static void count_says_what_pops_would_find(void **state)
{
    (void)state;
    struct ring *ring = ring_new(4);
    for (int round = 0; round < 5; round++) { /* also around the end, also when it is full */
        for (size_t count = 0; count <= 4; count++) {
            for (size_t i = 0; i < count; i++) {
                assert_int_equal(ring_count(ring), i);
                assert_true(ring_push(ring, &elements[i]));
            }
            for (size_t i = count; i > 0; i--) {
                assert_int_equal(ring_count(ring), i);
                assert_non_null(ring_pop(ring));
            }
            assert_int_equal(ring_count(ring), 0);
        }
    }
    ring_free(ring);
}

static void place_is_free_again_after_a_pop(void **state)
{
    (void)state;
    struct ring *ring = ring_new(8);
    for (int i = 0; i < 8; i++)
        assert_true(ring_push(ring, &elements[i]));
    for (int i = 8; i < 1000; i++) {
        assert_false(ring_push(ring, &elements[i]));
        assert_ptr_equal(ring_pop(ring), &elements[i - 8]);
        assert_true(ring_push(ring, &elements[i]));
    }
    ring_free(ring);
}

static void order_is_kept_around_the_end(void **state)
{
    (void)state;
    struct ring *ring = ring_new(16);
    size_t pushed = 0, popped = 0;
    for (size_t burst = 1; burst <= 16; burst++) {
        for (int round = 0; round < 100; round++) { /* every burst starts at every slot */
            for (size_t i = 0; i < burst; i++)
                assert_true(ring_push(ring, &elements[pushed++ % 4096]));
            for (size_t i = 0; i < burst; i++)
                assert_ptr_equal(ring_pop(ring), &elements[popped++ % 4096]);
            assert_null(ring_pop(ring));
        }
    }
    ring_free(ring);
}

/*
 * Two threads. The payload of element n is written over as soon as the ring's promise allows it:
 * with `capacity` slots, a push of n - 1 means that n - 1 - capacity was popped, and the consumer
 * had by then done with the one before. A missing acquire or release is a race on `number`.
 */
struct payload {
    size_t number;
    char rest[120];
};

struct stress {
    struct ring *ring;
    struct payload *payloads;
    size_t payload_count;
};

static void *produce(void *argument)
{
    struct stress *stress = argument;
    for (size_t n = 0; n < MANY; n++) {
        struct payload *payload = &stress->payloads[n % stress->payload_count];
        payload->number = n;
        payload->rest[n % sizeof(payload->rest)] = (char)n;
        while (!ring_push(stress->ring, payload))
            (void)sched_yield();
    }
    return NULL;
}

static void stress_ring(size_t capacity)
{
    struct stress stress = {.ring = ring_new(capacity), .payload_count = capacity + 2};
    stress.payloads = test_calloc(stress.payload_count, sizeof(struct payload));
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, produce, &stress), 0);
    size_t wrong = 0;
    for (size_t n = 0; n < MANY; n++) {
        const struct payload *payload;
        while ((payload = ring_pop(stress.ring)) == NULL)
            (void)sched_yield();
        wrong += payload != &stress.payloads[n % stress.payload_count];
        wrong += payload->number != n;
        wrong += payload->rest[n % sizeof(payload->rest)] != (char)n;
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
    assert_int_equal(wrong, 0);
    assert_null(ring_pop(stress.ring));
    test_free(stress.payloads);
    ring_free(stress.ring);
}

static void two_threads_with_room(void **state)
{
    (void)state;
    stress_ring(1024);
}

static void two_threads_nearly_always_full_or_empty(void **state)
{
    (void)state;
    stress_ring(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_ring_is_empty),
        cmocka_unit_test(capacity_is_at_least_what_was_asked_for),
        cmocka_unit_test(count_says_what_pops_would_find),
        cmocka_unit_test(place_is_free_again_after_a_pop),
        cmocka_unit_test(order_is_kept_around_the_end),
        cmocka_unit_test(two_threads_with_room),
        cmocka_unit_test(two_threads_nearly_always_full_or_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
