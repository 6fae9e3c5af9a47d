/*
 * upkeep: what the loop does by the clock, whether there are requests or not.
 *
 * Memory that requests have needed goes back to the system (trim_schedule.h), what event_log.h has
 * counted is reported once a minute, and a service manager that watches the loop is told that it
 * turns. A timer is set only while there is something to do, but for the watchdog's.
 *
 * Owned by the server; the service and the pool outlive it. Loop thread. Errors: -errno.
 */
#ifndef ROCHEFORT_HTTP_UPKEEP_H
#define ROCHEFORT_HTTP_UPKEEP_H

#include "http/trim_schedule.h"

struct event;
struct event_base;
struct pool;
struct service;

/* Zeroed: not started. */
struct upkeep {
    struct service *service;
    struct pool *pool;
    struct event *trim, *report, *watchdog;
    struct trim_schedule trim_schedule;
};

/* `service` has its connections already. After a failure upkeep_stop is called too. */
int upkeep_start(struct upkeep *upkeep, struct event_base *base, struct service *service,
                 struct pool *pool);

/* Once a loop iteration. */
void upkeep_run(struct upkeep *upkeep);

void upkeep_stop(struct upkeep *upkeep);

#endif
