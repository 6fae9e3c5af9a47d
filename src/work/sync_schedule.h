/*
 * sync_schedule: which of a worker's buckets are owed a sync, and by when.
 *
 * With `after_ms` over 0 what was appended is on the disk so long after it, and
 * the time that the disk takes, at the latest. Buckets are synced in the order of
 * their first appends, a few at a time: a bucket takes no appends while it is synced,
 * so it must not wait for the syncs of many others meanwhile.
 *
 * A sync that failed is not tried again, see bucket_sync. What it was for is
 * refused until the prefix is closed: all appends whose sync was promised.
 *
 * Belongs to the worker's thread. Its list is in the slots of the open prefixes;
 * a slot must stay, with its bucket open, until it was taken out.
 */
#ifndef ROCHEFORT_WORK_SYNC_SCHEDULE_H
#define ROCHEFORT_WORK_SYNC_SCHEDULE_H

#include <stdbool.h>
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
    unsigned under_way, most;         /* syncs that were taken out of here, at a time */
};

/* At most `most` of its syncs are under way at a time; at least 1. */
void sync_schedule_init(struct sync_schedule *schedule, const struct root *root, int after_ms,
                        unsigned most, void (*notice)(const char *line));

/* Something was appended to the bucket of a slot and not synced: with an interval it will be. */
void sync_schedule_add(struct sync_schedule *schedule, struct bucket_slot *slot);

/* Takes a slot out, for a sync that begins now. False: it was not owed one. */
bool sync_schedule_remove(struct sync_schedule *schedule, struct bucket_slot *slot);

/* A slot that is owed a sync is the next: something waits for it. */
void sync_schedule_expedite(struct sync_schedule *schedule, struct bucket_slot *slot);

/* All that are owed a sync are due. */
void sync_schedule_expedite_all(struct sync_schedule *schedule);

/* Takes out a slot whose time has come, for a sync that begins now. NULL: there is none, or as many
 * as may be are under way. Each is reported by sync_schedule_done when it has ended. */
struct bucket_slot *sync_schedule_take(struct sync_schedule *schedule);
void sync_schedule_done(struct sync_schedule *schedule);

/* CLOCK_MONOTONIC: when sync_schedule_take has something, unless what is under way ends before. 0:
 * nothing is scheduled, or it waits for what is under way. */
uint64_t sync_schedule_due_ns(const struct sync_schedule *schedule);

/* From now on no sync of this bucket is tried; `what` could not be synced, says the log. NULL: the
 * log says it already. */
void sync_schedule_refuse(struct sync_schedule *schedule, struct bucket_slot *slot,
                          const char *what, int error);

#endif
