/*
 * Tests of work/sync_pool: works run in order, several at once, and all that was pushed has run
 * when the pool is stopped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "work/sync_pool.h"

#define WORKS 200
#define WAIT_SECONDS 60

struct numbered {
    struct sync_work work; /* first */
    struct sync_pool *pool;
    unsigned number, again;
};

static unsigned order[WORKS];
static atomic_uint runs;
static sem_t entered, released;

static void await(sem_t *semaphore)
{
    struct timespec until;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_sec += WAIT_SECONDS;
    assert_int_equal(sem_timedwait(semaphore, &until), 0);
}

static int set_up(void **state)
{
    (void)state;
    atomic_store(&runs, 0);
    return sem_init(&entered, 0, 0) != 0 || sem_init(&released, 0, 0) != 0;
}

static void note_order(struct sync_work *work)
{
    order[atomic_fetch_add(&runs, 1)] = ((struct numbered *)(void *)work)->number;
}

static void one_thread_keeps_the_order(void **state)
{
    static struct numbered works[WORKS];
    struct sync_pool *pool;
    (void)state;
    assert_int_equal(sync_pool_start(1, &pool), 0);
    for (unsigned i = 0; i < WORKS; i++) {
        works[i] = (struct numbered){.work.run = note_order, .number = i};
        sync_pool_push(pool, &works[i].work);
    }
    sync_pool_stop(pool); /* all have run then */
    assert_int_equal(atomic_load(&runs), WORKS);
    for (unsigned i = 0; i < WORKS; i++)
        assert_int_equal(order[i], i);
}

static void wait_for_release(struct sync_work *work)
{
    (void)work;
    (void)atomic_fetch_add(&runs, 1);
    (void)sem_post(&entered);
    while (sem_wait(&released) != 0)
        ;
}

/* As many as there are threads, and no more; each has all that was written before the push. */
static void threads_run_at_once(void **state)
{
    static const unsigned threads[] = {1, 4, SYNC_POOL_THREADS_MAX};
    static struct numbered works[SYNC_POOL_THREADS_MAX + 1];
    (void)state;
    for (size_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
        struct sync_pool *pool;
        atomic_store(&runs, 0);
        assert_int_equal(sync_pool_start(threads[i], &pool), 0);
        for (unsigned work = 0; work <= threads[i]; work++) {
            works[work].work.run = wait_for_release;
            sync_pool_push(pool, &works[work].work);
        }
        for (unsigned work = 0; work < threads[i]; work++)
            await(&entered);
        assert_int_equal(atomic_load(&runs), threads[i]);
        assert_int_equal(sem_post(&released), 0); /* one thread is free now */
        await(&entered);
        for (unsigned work = 0; work < threads[i]; work++)
            assert_int_equal(sem_post(&released), 0);
        sync_pool_stop(pool);
        assert_int_equal(atomic_load(&runs), threads[i] + 1);
    }
}

static void push_again(struct sync_work *work)
{
    struct numbered *numbered = (struct numbered *)(void *)work;
    (void)atomic_fetch_add(&runs, 1);
    if (numbered->again-- > 1)
        sync_pool_push(numbered->pool, work);
}

static void work_may_push_itself(void **state)
{
    static struct numbered works[8];
    struct sync_pool *pool;
    (void)state;
    assert_int_equal(sync_pool_start(4, &pool), 0);
    for (unsigned i = 0; i < 8; i++) {
        works[i] = (struct numbered){.work.run = push_again, .pool = pool, .again = 1000};
        sync_pool_push(pool, &works[i].work);
    }
    sync_pool_stop(pool);
    assert_int_equal(atomic_load(&runs), 8 * 1000);
}

static void nothing_to_do(void **state)
{
    struct sync_pool *pool;
    (void)state;
    sync_pool_stop(NULL);
    assert_int_equal(sync_pool_start(3, &pool), 0);
    sync_pool_stop(pool);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_thread_keeps_the_order),
        TEST(threads_run_at_once),
        TEST(work_may_push_itself),
        TEST(nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
