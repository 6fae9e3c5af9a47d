#include "work/sync_schedule.h"

#include <stdio.h>

#include "base/clock.h"
#include "store/bucket.h"
#include "store/error.h"

#define LINE_BYTES (BUCKET_SLOT_PATH_BYTES + 512)

void sync_schedule_init(struct sync_schedule *schedule, const struct root *root, int after_ms,
                        void (*notice)(const char *line))
{
    *schedule = (struct sync_schedule){.root = root, .after_ms = after_ms, .notice = notice};
    schedule->end = &schedule->first;
}

void sync_schedule_add(struct sync_schedule *schedule, struct bucket_slot *slot)
{
    if (schedule->after_ms <= 0 || slot->unsynced)
        return;
    slot->unsynced = true;
    slot->next_unsynced = NULL;
    *schedule->end = slot;
    schedule->end = &slot->next_unsynced;
    if (schedule->count++ == schedule->due)
        schedule->due_ns = clock_monotonic_ns() + (unsigned)schedule->after_ms * CLOCK_NS_PER_MS;
}

/* An fdatasync comes with it, beside which the way along the list is short. */
static void remove_slot(struct sync_schedule *schedule, struct bucket_slot *slot)
{
    struct bucket_slot **link = &schedule->first;
    unsigned position = 0;
    for (; *link != slot; link = &(*link)->next_unsynced)
        position++;
    *link = slot->next_unsynced;
    if (schedule->end == &slot->next_unsynced)
        schedule->end = link;
    schedule->count--;
    schedule->due -= position < schedule->due;
    slot->unsynced = false;
}

void sync_schedule_refuse(struct sync_schedule *schedule, struct bucket_slot *slot,
                          const char *what, int error)
{
    char path[BUCKET_SLOT_PATH_BYTES], line[LINE_BYTES];
    slot->sync_refused = true;
    atomic_store_explicit(&slot->prefix->sync_refused, true, memory_order_relaxed);
    if (schedule->notice == NULL)
        return;
    bucket_slot_path(slot, schedule->root, path);
    (void)snprintf(line, sizeof(line),
                   "%s: %s could not be synced: %s; until its prefix is closed it takes no more "
                   "appends that are to be synced",
                   path, what, store_error_text(error));
    schedule->notice(line);
}

int sync_schedule_sync(struct sync_schedule *schedule, struct bucket_slot *slot)
{
    bool promised = slot->unsynced;
    if (promised)
        remove_slot(schedule, slot);
    int error = bucket_sync(slot->bucket);
    if (error != 0)
        sync_schedule_refuse(schedule, slot, promised ? "appends that were answered" : "it", error);
    return error;
}

uint64_t sync_schedule_due_ns(const struct sync_schedule *schedule)
{
    if (schedule->first == NULL)
        return 0;
    return schedule->due > 0 ? 1 : schedule->due_ns;
}

void sync_schedule_run_due(struct sync_schedule *schedule)
{
    if (schedule->first == NULL)
        return;
    if (schedule->due == 0 && clock_monotonic_ns() >= schedule->due_ns)
        schedule->due = schedule->count;
    if (schedule->due > 0)
        (void)sync_schedule_sync(schedule, schedule->first);
}

void sync_schedule_run_all(struct sync_schedule *schedule)
{
    while (schedule->first != NULL)
        (void)sync_schedule_sync(schedule, schedule->first);
}
