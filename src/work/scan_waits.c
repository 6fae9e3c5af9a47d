#include "work/scan_waits.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "work/open_prefix.h"

static struct scan_wait_list *list_of(const struct open_prefix *prefix, unsigned bucket,
                                      bool synced)
{
    return &prefix->scan_waits[2 * bucket + (synced ? 1 : 0)];
}

static bool has_lists(struct open_prefix *prefix)
{
    if (prefix->scan_waits == NULL) /* zeroed is empty */
        prefix->scan_waits = calloc(2 * prefix->manifest.buckets, sizeof(prefix->scan_waits[0]));
    return prefix->scan_waits != NULL;
}

enum scan_waits_result scan_waits_add(struct scan_waits *waits, struct job *job)
{
    struct open_prefix *prefix = job->route.prefix;
    struct job_scan *scan = &job->scan;
    if (prefix->state != PREFIX_OPEN)
        return SCAN_WAITS_CLOSED;
    if (!has_lists(prefix))
        return SCAN_WAITS_NO_MEMORY;
    if (scan->synced && atomic_exchange(&prefix->synced[job->bucket], false))
        return SCAN_WAITS_AGAIN;
    LIST_INSERT_HEAD(list_of(prefix, job->bucket, scan->synced), job, scan.waiting);
    if (scan->synced)
        LIST_INSERT_HEAD(&waits->synced, job, scan.waiting_synced);
    scan->is_waiting = true;
    scan->closed = false;
    return SCAN_WAITS;
}

bool scan_waits_remove(struct job *job)
{
    if (!job->scan.is_waiting)
        return false;
    job->scan.is_waiting = false;
    LIST_REMOVE(job, scan.waiting);
    if (job->scan.synced)
        LIST_REMOVE(job, scan.waiting_synced);
    return true;
}

static void wake_all(struct scan_waits *waits, struct scan_wait_list *list, bool closed)
{
    struct job *job;
    while ((job = LIST_FIRST(list)) != NULL) {
        (void)scan_waits_remove(job);
        job->scan.closed = closed;
        job_list_add(&waits->woken, job);
    }
}

void scan_waits_appended(struct scan_waits *waits, const struct open_prefix *prefix,
                         unsigned bucket)
{
    if (prefix->scan_waits != NULL)
        wake_all(waits, list_of(prefix, bucket, false), false);
}

void scan_waits_synced(struct scan_waits *waits)
{
    struct job_list found = {0}; /* one of each bucket whose bit was set */
    struct job *job;
    LIST_FOREACH (job, &waits->synced, scan.waiting_synced)
        if (atomic_exchange(&job->route.prefix->synced[job->bucket], false))
            job_list_add(&found, job);
    while (found.first != NULL) {
        job = job_list_pop(&found);
        wake_all(waits, list_of(job->route.prefix, job->bucket, true), false);
    }
}

void scan_waits_close(struct scan_waits *waits, const struct open_prefix *prefix)
{
    for (unsigned i = 0; prefix->scan_waits != NULL && i < prefix->manifest.buckets; i++) {
        wake_all(waits, list_of(prefix, i, false), true);
        wake_all(waits, list_of(prefix, i, true), true);
    }
}

void scan_waits_deliver(struct scan_waits *waits)
{
    struct job_list woken = waits->woken;
    waits->woken = (struct job_list){0};
    while (woken.first != NULL) {
        struct job *job = job_list_pop(&woken);
        job->scan.woken(job);
    }
}
