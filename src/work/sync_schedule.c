#include "work/sync_schedule.h"

#include <stdio.h>

#include "base/clock.h"
#include "store/error.h"

#define LINE_BYTES (BUCKET_SLOT_PATH_BYTES + 512)

void sync_schedule_init(struct sync_schedule *schedule, const struct root *root, int after_ms,
                        unsigned most, void (*notice)(const char *line))
{
    *schedule =
        (struct sync_schedule){.root = root, .after_ms = after_ms, .most = most, .notice = notice};
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
bool sync_schedule_remove(struct sync_schedule *schedule, struct bucket_slot *slot)
{
    struct bucket_slot **link = &schedule->first;
    unsigned position = 0;
    if (!slot->unsynced)
        return false;
    for (; *link != slot; link = &(*link)->next_unsynced)
        position++;
    *link = slot->next_unsynced;
    if (schedule->end == &slot->next_unsynced)
        schedule->end = link;
    schedule->count--;
    schedule->due -= position < schedule->due;
    slot->unsynced = false;
    return true;
}

void sync_schedule_expedite(struct sync_schedule *schedule, struct bucket_slot *slot)
{
    if (!sync_schedule_remove(schedule, slot))
        return;
    slot->unsynced = true;
    slot->next_unsynced = schedule->first;
    if (schedule->first == NULL)
        schedule->end = &slot->next_unsynced;
    schedule->first = slot;
    schedule->count++;
    schedule->due++;
}

void sync_schedule_expedite_all(struct sync_schedule *schedule)
{
    schedule->due = schedule->count;
}

struct bucket_slot *sync_schedule_take(struct sync_schedule *schedule)
{
    struct bucket_slot *slot = schedule->first;
    if (slot == NULL || schedule->under_way >= schedule->most)
        return NULL;
    if (schedule->due == 0 && clock_monotonic_ns() >= schedule->due_ns)
        schedule->due = schedule->count;
    if (schedule->due == 0)
        return NULL;
    (void)sync_schedule_remove(schedule, slot);
    schedule->under_way++;
    return slot;
}

void sync_schedule_done(struct sync_schedule *schedule)
{
    schedule->under_way--;
}

uint64_t sync_schedule_due_ns(const struct sync_schedule *schedule)
{
    if (schedule->first == NULL || schedule->under_way >= schedule->most)
        return 0;
    return schedule->due > 0 ? 1 : schedule->due_ns;
}

void sync_schedule_refuse(struct sync_schedule *schedule, struct bucket_slot *slot,
                          const char *what, int error)
{
    char path[BUCKET_SLOT_PATH_BYTES], line[LINE_BYTES];
    slot->sync_refused = true;
    atomic_store_explicit(&slot->prefix->sync_refused, true, memory_order_relaxed);
    if (schedule->notice == NULL || what == NULL)
        return;
    bucket_slot_path(slot, schedule->root, path);
    (void)snprintf(line, sizeof(line),
                   "%s: %s could not be synced: %s; until its prefix is closed it takes no more "
                   "appends that are to be synced",
                   path, what, store_error_text(error));
    schedule->notice(line);
}
