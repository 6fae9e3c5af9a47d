/*
 * closes: how a worker closes its files of a prefix, for a JOB_CLOSE.
 *
 * Each file that has to be is synced before it is closed; those that replies are read from, or
 * whose last sync has failed, may be left open, see enum job_close. The slots say what is still
 * waited for: `closing`, and `syncs_left` of the prefix.
 *
 * A part of the worker, on its thread. What goes wrong is in the job: `error`, the first one, with
 * `sync` and `bucket` saying of what. The job itself is handed back by the caller.
 */
#ifndef ROCHEFORT_WORK_CLOSES_H
#define ROCHEFORT_WORK_CLOSES_H

#include <stdbool.h>

#include "work/file_cache.h"
#include "work/job_list.h"
#include "work/open_prefix.h"
#include "work/sync_schedule.h"

struct closes {
    struct file_cache *cache;
    struct sync_schedule *schedule;
    unsigned index, workers;
};

/* Slots with a job in the list are read from: for JOB_CLOSE_UNREAD, before closes_begin. Slots know
 * themselves of jobs that the loop has. */
void closes_mark_reads(const struct job_list *list, const struct open_prefix *prefix);

/* Closes what can be closed now. True: that was all. The router asks for this only when no append
 * of the prefix is in flight. */
bool closes_begin(struct closes *closes, struct job *job);

/* A sync of a slot that is `closing` has ended, with that error. The job, if that was all; or
 * NULL. */
struct job *closes_go_on(struct closes *closes, struct bucket_slot *slot, int error);

#endif
