#include "http/upkeep.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>

#include "base/heap.h"
#include "base/service_manager.h"
#include "http/service.h"
#include "net/connections.h"
#include "work/pool.h"

#define US_PER_SECOND 1000000

static void on_trim(evutil_socket_t fd, short what, void *argument)
{
    struct upkeep *upkeep = argument;
    (void)fd;
    (void)what;
    enum trim_step step = trim_schedule_tick(&upkeep->trim_schedule);
    if (step == TRIM_LOOP_AND_WORKERS)
        heap_trim();
    if (step != TRIM_NOTHING)
        pool_trim(upkeep->pool);
}

/* Once a loop iteration. If the timer cannot be set the next one tries again. */
static void watch_memory(struct upkeep *upkeep)
{
    static const struct timeval interval = {.tv_sec = 1};
    uint64_t bytes = connections_reserved_bytes(upkeep->service->connections);
    if (trim_schedule_note(&upkeep->trim_schedule, bytes) &&
        !event_pending(upkeep->trim, EV_TIMEOUT, NULL))
        (void)event_add(upkeep->trim, &interval);
}

static void on_report(evutil_socket_t fd, short what, void *argument)
{
    struct upkeep *upkeep = argument;
    (void)fd;
    (void)what;
    event_log_report(&upkeep->service->failures);
    event_log_report(&upkeep->service->limits);
}

/* The same for events that are counted for the log. */
static void watch_events(struct upkeep *upkeep)
{
    static const struct timeval interval = {.tv_sec = 60};
    if ((event_log_wants_report(&upkeep->service->failures) ||
         event_log_wants_report(&upkeep->service->limits)) &&
        !event_pending(upkeep->report, EV_TIMEOUT, NULL))
        (void)event_add(upkeep->report, &interval);
}

/* By the loop alone: a slow disk is no reason to end the process, a loop that is stuck is one. */
static void on_watchdog(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    (void)argument;
    service_manager_send("WATCHDOG=1");
}

/* Twice as often as the service manager wants it. */
static int make_watchdog(struct upkeep *upkeep, struct event_base *base)
{
    uint64_t us = service_manager_watchdog_us() / 2;
    const struct timeval interval = {.tv_sec = (time_t)(us / US_PER_SECOND),
                                     .tv_usec = (suseconds_t)(us % US_PER_SECOND)};
    if (us == 0)
        return 0;
    upkeep->watchdog = event_new(base, -1, EV_PERSIST, on_watchdog, NULL);
    return upkeep->watchdog != NULL && event_add(upkeep->watchdog, &interval) == 0 ? 0 : -ENOMEM;
}

int upkeep_start(struct upkeep *upkeep, struct event_base *base, struct service *service,
                 struct pool *pool)
{
    upkeep->service = service;
    upkeep->pool = pool;
    upkeep->trim = evtimer_new(base, on_trim, upkeep);
    upkeep->report = evtimer_new(base, on_report, upkeep);
    if (upkeep->trim == NULL || upkeep->report == NULL)
        return -ENOMEM;
    return make_watchdog(upkeep, base);
}

void upkeep_run(struct upkeep *upkeep)
{
    watch_memory(upkeep);
    watch_events(upkeep);
}

void upkeep_stop(struct upkeep *upkeep)
{
    struct event *events[] = {upkeep->trim, upkeep->report, upkeep->watchdog};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (events[i] != NULL)
            event_free(events[i]);
}
