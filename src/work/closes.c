#include "work/closes.h"

void closes_mark_reads(const struct job_list *list, const struct open_prefix *prefix)
{
    for (const struct job *job = list->first; job != NULL; job = job->route.next)
        if (job->route.prefix == prefix && job->kind != JOB_RESOLVE)
            prefix->slots[job->bucket].in_pieces = true;
}

/* The first error is reported, with the file that it is of. */
static void set_job_close_error(struct job *job, const struct bucket_slot *slot, int error,
                                bool of_sync)
{
    if (error == 0 || job->error != 0)
        return;
    job->error = error;
    job->sync = of_sync;
    job->bucket = (unsigned)(slot - slot->prefix->slots);
}

static bool stays_open(const struct bucket_slot *slot, enum job_close close)
{
    return (close == JOB_CLOSE_UNREAD && slot->in_pieces) ||
           (close == JOB_CLOSE_HEALTHY && slot->sync_refused);
}

/* Whatever the close may do with the file now. */
static void close_slot(struct closes *closes, struct job *job, struct bucket_slot *slot)
{
    int error = 0;
    if (!stays_open(slot, job->route.close))
        error = file_cache_close(closes->cache, slot);
    else if (slot->unsynced)
        sync_schedule_expedite(closes->schedule, slot);
    if (slot->unsynced || slot->syncing) {
        slot->closing = true;
        slot->prefix->syncs_left++;
    } else {
        set_job_close_error(job, slot, error, false);
    }
}

bool closes_begin(struct closes *closes, struct job *job)
{
    struct open_prefix *prefix = job->route.prefix;
    job->error = 0;
    prefix->syncs_left = 0;
    for (unsigned i = 0; i < prefix->manifest.buckets; i++)
        if (open_prefix_owner(prefix, i, closes->workers) == closes->index)
            close_slot(closes, job, &prefix->slots[i]);
    return prefix->syncs_left == 0;
}

struct job *closes_go_on(struct closes *closes, struct bucket_slot *slot, int error)
{
    struct open_prefix *prefix = slot->prefix;
    struct job *job = &prefix->control;
    slot->closing = false;
    prefix->syncs_left--;
    set_job_close_error(job, slot, error, true);
    close_slot(closes, job, slot);
    return prefix->syncs_left == 0 ? job : NULL;
}
