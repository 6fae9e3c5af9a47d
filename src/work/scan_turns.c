#include "work/scan_turns.h"

void scan_turns_init(struct scan_turns *turns, const struct pool *pool)
{
    turns->pool = pool;
    turns->count = 0;
    for (unsigned i = 0; i < POOL_WORKERS_MAX; i++)
        TAILQ_INIT(&turns->of_worker[i]);
}

void scan_turns_add(struct scan_turns *turns, struct job *job)
{
    TAILQ_INSERT_TAIL(&turns->of_worker[job->route.worker], job, scan.turn);
    turns->count++;
    job->scan.in_turn = true;
}

bool scan_turns_remove(struct scan_turns *turns, struct job *job)
{
    if (!job->scan.in_turn)
        return false;
    TAILQ_REMOVE(&turns->of_worker[job->route.worker], job, scan.turn);
    turns->count--;
    job->scan.in_turn = false;
    return true;
}

static unsigned room_of(const struct scan_turns *turns, unsigned worker)
{
    return pool_max_in_flight(turns->pool) - pool_in_flight(turns->pool, worker);
}

void scan_turns_deliver(struct scan_turns *turns)
{
    for (unsigned i = 0; turns->count > 0 && i < pool_workers(turns->pool); i++) {
        struct job *job;
        unsigned room = room_of(turns, i); /* `woken` may need memory before it takes some of it */
        for (; room > 0 && (job = TAILQ_FIRST(&turns->of_worker[i])) != NULL; room--) {
            (void)scan_turns_remove(turns, job);
            job->scan.woken(job);
        }
    }
}

bool scan_turns_due(const struct scan_turns *turns)
{
    for (unsigned i = 0; turns->count > 0 && i < pool_workers(turns->pool); i++)
        if (!TAILQ_EMPTY(&turns->of_worker[i]) && room_of(turns, i) > 0)
            return true;
    return false;
}
