#include "work/sync_pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/thread.h"

struct sync_pool {
    pthread_mutex_t lock;
    pthread_cond_t pushed;
    struct sync_work *first, **end;
    bool stopping;
    unsigned started;
    pthread_t threads[SYNC_POOL_THREADS_MAX];
};

/* These calls fail only if the lock is not one. */
static void must_succeed(int error)
{
    if (error == 0)
        return;
    log_line("the lock of the sync threads: %s", strerror(error));
    log_flush();
    abort();
}

/* NULL: the pool is stopped, and its queue is empty. */
static struct sync_work *pop_or_wait(struct sync_pool *pool)
{
    must_succeed(pthread_mutex_lock(&pool->lock));
    while (pool->first == NULL && !pool->stopping)
        must_succeed(pthread_cond_wait(&pool->pushed, &pool->lock));
    struct sync_work *work = pool->first;
    if (work != NULL)
        pool->first = work->next;
    if (pool->first == NULL)
        pool->end = &pool->first;
    must_succeed(pthread_mutex_unlock(&pool->lock));
    return work;
}

static void *run_works(void *argument)
{
    struct sync_pool *pool = argument;
    struct sync_work *work;
    (void)pthread_setname_np(pthread_self(), "sync"); /* for top -H */
    while ((work = pop_or_wait(pool)) != NULL)
        work->run(work);
    return NULL;
}

int sync_pool_start(unsigned threads, struct sync_pool **out)
{
    struct sync_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL)
        return -ENOMEM;
    pool->end = &pool->first;
    int error = pthread_mutex_init(&pool->lock, NULL);
    if (error != 0) {
        free(pool);
        return -error;
    }
    error = pthread_cond_init(&pool->pushed, NULL);
    if (error != 0) {
        must_succeed(pthread_mutex_destroy(&pool->lock));
        free(pool);
        return -error;
    }
    while (error == 0 && pool->started < threads) {
        error = thread_start(&pool->threads[pool->started], run_works, pool);
        pool->started += error == 0;
    }
    if (error != 0) {
        sync_pool_stop(pool);
        return error;
    }
    *out = pool;
    return 0;
}

void sync_pool_stop(struct sync_pool *pool)
{
    if (pool == NULL)
        return;
    must_succeed(pthread_mutex_lock(&pool->lock));
    pool->stopping = true;
    must_succeed(pthread_cond_broadcast(&pool->pushed));
    must_succeed(pthread_mutex_unlock(&pool->lock));
    for (unsigned i = 0; i < pool->started; i++)
        (void)pthread_join(pool->threads[i], NULL);
    must_succeed(pthread_cond_destroy(&pool->pushed));
    must_succeed(pthread_mutex_destroy(&pool->lock));
    free(pool);
}

void sync_pool_push(struct sync_pool *pool, struct sync_work *work)
{
    work->next = NULL;
    must_succeed(pthread_mutex_lock(&pool->lock));
    *pool->end = work;
    pool->end = &work->next;
    must_succeed(pthread_cond_signal(&pool->pushed));
    must_succeed(pthread_mutex_unlock(&pool->lock));
}
