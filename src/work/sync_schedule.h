/*
 * sync_schedule: which of a worker's buckets have to be synced, and by when.
 *
 * With `after_ms` over 0 what was appended is on the disk so long after it, and
 * the time that the disk takes, at the latest. Buckets are synced in the order of
 * their first appends, one at a time, so that requests wait for one sync at most.
 *
 * A sync that failed is not tried again, see bucket_sync. What it was for is
 * refused until the prefix is closed: all appends whose sync was promised.
 *
 * Belongs to the worker's thread. Its list is in the slots of the open prefixes;
 * a slot must stay, with its bucket open, until it was synced.
 */
#ifndef ROCHEFORT_WORK_SYNC_SCHEDULE_H
#define ROCHEFORT_WORK_SYNC_SCHEDULE_H

#include <stdint.h>

#include "store/root.h"
#include "work/open_prefix.h"

struct sync_schedule {
    const struct root *root;
    int after_ms; /* -1: only what asks for it is synced; 0: each append before its reply */
    void (*notice)(const char *line); /* a line for the log when a sync fails; may be NULL */
    struct bucket_slot *first, **end; /* in the order of their first appends */
    unsigned count, due;              /* the first so many are to be synced now */
    uint64_t due_ns;                  /* CLOCK_MONOTONIC: when the others will be */
};

void sync_schedule_init(struct sync_schedule *schedule, const struct root *root, int after_ms,
                        void (*notice)(const char *line));

/* Something was appended to the bucket of a slot and not synced: with an interval it will be. */
void sync_schedule_add(struct sync_schedule *schedule, struct bucket_slot *slot);

/* Syncs the bucket of a slot now. 0 or -errno: then it is refused, as by the next function. */
int sync_schedule_sync(struct sync_schedule *schedule, struct bucket_slot *slot);

/* From now on no sync of this bucket is tried; `what` could not be synced, says the log. */
void sync_schedule_refuse(struct sync_schedule *schedule, struct bucket_slot *slot,
                          const char *what, int error);

/* CLOCK_MONOTONIC: when sync_schedule_run_due has something to do; 0 if nothing is scheduled. */
uint64_t sync_schedule_due_ns(const struct sync_schedule *schedule);

/* Syncs one bucket whose time has come, if there is one. */
void sync_schedule_run_due(struct sync_schedule *schedule);

/* Syncs all that are scheduled. */
void sync_schedule_run_all(struct sync_schedule *schedule);

#endif
