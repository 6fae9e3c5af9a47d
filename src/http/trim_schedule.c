#include "http/trim_schedule.h"

bool trim_schedule_note(struct trim_schedule *schedule, uint64_t reserved_bytes)
{
    if (reserved_bytes > schedule->recent_bytes)
        schedule->recent_bytes = reserved_bytes;
    if (reserved_bytes > schedule->held_bytes)
        schedule->held_bytes = reserved_bytes;
    if (reserved_bytes >= TRIM_SCHEDULE_BEGIN_BYTES)
        schedule->active = true;
    return schedule->active;
}

enum trim_step trim_schedule_tick(struct trim_schedule *schedule)
{
    uint64_t recent_bytes = schedule->recent_bytes;
    schedule->recent_bytes = 0;
    if (schedule->workers_have) {
        schedule->workers_have = false;
        schedule->active = schedule->held_bytes >= TRIM_SCHEDULE_END_BYTES;
        return TRIM_LOOP_AND_WORKERS;
    }
    if (recent_bytes > schedule->held_bytes / 2)
        return TRIM_NOTHING;
    schedule->held_bytes = recent_bytes;
    schedule->workers_have = true;
    return TRIM_WORKERS;
}
