/*
 * Tests of work/wake: the protocol in one thread, then two threads that sleep
 * for real. A lost wake-up leaves a sleeper behind: its sleep has a bound, and
 * running into that bound is the failure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "work/ring.h"
#include "work/wake.h"

#define ROUNDS 40000
#define LOST_SECONDS 30

static void nobody_is_signalled_who_is_awake(void **state)
{
    (void)state;
    struct sleeper sleeper;
    sleeper_init(&sleeper);
    assert_false(sleeper_claim(&sleeper));
    sleeper_announce(&sleeper);
    sleeper_stay(&sleeper);
    assert_false(sleeper_claim(&sleeper));
}

static void sleeper_is_signalled_once(void **state)
{
    (void)state;
    struct sleeper sleeper;
    sleeper_init(&sleeper);
    for (int round = 0; round < 3; round++) {
        sleeper_announce(&sleeper);
        assert_true(sleeper_claim(&sleeper));
        assert_false(sleeper_claim(&sleeper));
    }
}

/* One side of the game: a ring to be fed through, and what to sleep on. */
struct side {
    struct ring *ring;
    struct sleeper sleeper;
    sem_t semaphore; /* as the workers sleep */
    int event_fd;    /* as the loop sleeps, if it is not -1 */
    unsigned lost, sleeps;
};

static void side_init(struct side *side, bool on_event_fd)
{
    *side = (struct side){.ring = ring_new(64), .event_fd = -1};
    assert_non_null(side->ring);
    sleeper_init(&side->sleeper);
    assert_int_equal(sem_init(&side->semaphore, 0, 0), 0);
    if (on_event_fd) {
        side->event_fd = eventfd(0, EFD_CLOEXEC);
        assert_true(side->event_fd >= 0);
    }
}

static void side_end(struct side *side)
{
    ring_free(side->ring);
    (void)sem_destroy(&side->semaphore);
    if (side->event_fd >= 0)
        (void)close(side->event_fd);
}

static bool wait_for_signal(struct side *side)
{
    if (side->event_fd >= 0) {
        struct pollfd poll_fd = {.fd = side->event_fd, .events = POLLIN};
        uint64_t count;
        return poll(&poll_fd, 1, LOST_SECONDS * 1000) == 1 &&
               read(side->event_fd, &count, sizeof(count)) == sizeof(count);
    }
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LOST_SECONDS;
    int result;
    do
        result = sem_timedwait(&side->semaphore, &until);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

/* Step 1 to 3 of the sleeper. */
static void sleep_until_pushed(struct side *side)
{
    sleeper_announce(&side->sleeper);
    if (ring_count(side->ring) == 0) {
        side->sleeps++;
        if (!wait_for_signal(side))
            side->lost++;
    }
    sleeper_stay(&side->sleeper);
}

/* Step 2 and 3 of the waker. */
static void wake(struct side *side)
{
    if (!sleeper_claim(&side->sleeper))
        return;
    const uint64_t one = 1;
    if (side->event_fd < 0)
        (void)sem_post(&side->semaphore);
    else if (write(side->event_fd, &one, sizeof(one)) != sizeof(one))
        side->lost++;
}

/* A little work of changing length, so that the two sides meet at every step of the protocol. */
static void dawdle(unsigned round, unsigned salt)
{
    for (volatile unsigned left = (round * 2654435761U ^ salt) >> 24; left > 0; left--)
        ;
}

struct game {
    struct side ping, pong;
    unsigned burst;
    char elements[ROUNDS];
};

/* Answers every element that comes in over `ping`, all it finds with one wake-up. */
static void *play_pong(void *argument)
{
    struct game *game = argument;
    unsigned answered = 0;
    while (answered < ROUNDS && game->ping.lost == 0) {
        void *element;
        bool any = false;
        while ((element = ring_pop(game->ping.ring)) != NULL) {
            any = ring_push(game->pong.ring, element);
            answered++;
        }
        if (any) {
            wake(&game->pong);
            dawdle(answered, 0x5bd1e995);
        } else {
            sleep_until_pushed(&game->ping);
        }
    }
    return NULL;
}

/* Sends bursts, each when the one before has been answered. */
static void play(bool on_event_fd, unsigned burst)
{
    static struct game game;
    side_init(&game.ping, false);
    side_init(&game.pong, on_event_fd);
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, play_pong, &game), 0);
    unsigned sent = 0, received = 0, wrong = 0;
    while (received < ROUNDS && game.pong.lost == 0) {
        for (unsigned i = 0; i < burst && sent < ROUNDS; i++)
            wrong += !ring_push(game.ping.ring, &game.elements[sent++]);
        wake(&game.ping);
        dawdle(sent, 0x1b873593);
        while (received < sent && game.pong.lost == 0) {
            void *element = ring_pop(game.pong.ring);
            if (element == NULL)
                sleep_until_pushed(&game.pong);
            else
                wrong += element != &game.elements[received++];
        }
    }
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_int_equal(game.ping.lost, 0);
    assert_int_equal(game.pong.lost, 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(received, ROUNDS);
    assert_true(game.ping.sleeps + game.pong.sleeps > 0); /* or nothing was tried */
    side_end(&game.ping);
    side_end(&game.pong);
}

static void ping_pong_with_a_semaphore(void **state)
{
    (void)state;
    play(false, 1);
}

static void ping_pong_with_an_eventfd(void **state)
{
    (void)state;
    play(true, 1);
}

static void bursts_with_a_semaphore(void **state)
{
    (void)state;
    play(false, 7);
}

static void bursts_with_an_eventfd(void **state)
{
    (void)state;
    play(true, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_signalled_who_is_awake),
        cmocka_unit_test(sleeper_is_signalled_once),
        cmocka_unit_test(ping_pong_with_a_semaphore),
        cmocka_unit_test(ping_pong_with_an_eventfd),
        cmocka_unit_test(bursts_with_a_semaphore),
        cmocka_unit_test(bursts_with_an_eventfd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
