/*
 * scan_waits: scans that have come to the end of their bucket and wait for more.
 *
 * A scan that waits is in a list of its bucket and nowhere else: it is not in flight, and no worker
 * knows of it. What is appended to the bucket wakes it; with `synced`, a sync of its file. None of
 * them is missed:
 *   append  the worker answers a scan before it answers an append that the scan has not seen, both
 *           answers come through one ring, and the scan is in its list before the next is looked at
 *   sync    many of them answer no request. A worker that brings a scan with `synced` to the end
 *           notes that in the slot. When the next sync of that file ends it sets a bit of the
 *           bucket, and sends the loop one message for all bits that it sets meanwhile. The bit
 *           stays if the scan is not in its list yet, which then looks again instead of waiting
 *
 * Those that are woken are in one list of the router until router_deliver tells them.
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_WORK_SCAN_WAITS_H
#define ROCHEFORT_WORK_SCAN_WAITS_H

#include <stdbool.h>
#include <sys/queue.h>

#include "work/job_list.h"

struct open_prefix;

LIST_HEAD(scan_wait_list, job);

/* Of the router; zeroed is empty. */
struct scan_waits {
    struct scan_wait_list synced; /* those that wait for a sync, of all buckets */
    struct job_list woken;
};

enum scan_waits_result {
    SCAN_WAITS,
    SCAN_WAITS_AGAIN,  /* there may be more by now: submit it again */
    SCAN_WAITS_CLOSED, /* its prefix is closed, or being closed */
    SCAN_WAITS_NO_MEMORY
};

/* In `done` of a JOB_SCAN that is `at_end`. */
enum scan_waits_result scan_waits_add(struct scan_waits *waits, struct job *job);

/* False if it was woken and is about to be told; then it stays so. */
bool scan_waits_remove(struct job *job);

/* Something was appended to the bucket. */
void scan_waits_appended(struct scan_waits *waits, const struct open_prefix *prefix,
                         unsigned bucket);

/* Workers have set bits. */
void scan_waits_synced(struct scan_waits *waits);

/* The prefix is not open any more: wakes all that wait in it, with `closed`. */
void scan_waits_close(struct scan_waits *waits, const struct open_prefix *prefix);

/* Calls `woken` of those that are. */
void scan_waits_deliver(struct scan_waits *waits);

#endif
