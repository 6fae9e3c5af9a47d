/*
 * router_state: what router and prefix_states share; nobody else looks at it.
 *
 * The functions are router.c's. Loop thread.
 */
#ifndef ROCHEFORT_WORK_ROUTER_STATE_H
#define ROCHEFORT_WORK_ROUTER_STATE_H

#include "work/job_list.h"
#include "work/pool.h"
#include "work/prefix_table.h"
#include "work/scan_turns.h"
#include "work/scan_waits.h"

struct router {
    struct pool *pool;
    struct prefix_table prefixes;
    unsigned max_parked, parked;
    unsigned in_flight;
    unsigned next_checker;     /* the worker that was given the last job without a prefix */
    struct job_list completed; /* without a worker, to be delivered */
    struct scan_waits scan_waits;
    struct scan_turns scan_turns;
};

/* The result is known; `done` is called by router_deliver. */
void router_complete_later(struct router *router, struct job *job, int error);

/* The same for a job whose id is in none of these slots. */
void router_refuse_slot(struct router *router, struct job *job, const struct slots *held);

/* Hands a request to the worker that owns its bucket. The prefix is open. */
void router_dispatch(struct open_prefix *prefix, struct job *job);

#endif
