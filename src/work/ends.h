/*
 * ends: where the buckets of a prefix end, for a JOB_ENDS.
 *
 * Each worker knows those of its own buckets, as far as they are in use; the other files are opened
 * for a moment. They may be many, so it is done in steps.
 *
 * Called by the worker.
 */
#ifndef ROCHEFORT_WORK_ENDS_H
#define ROCHEFORT_WORK_ENDS_H

#include <stdbool.h>

#include "work/file_cache.h"
#include "work/job.h"

/*
 * Finds the ends of some of the buckets that worker `index` of `workers` owns, from `ends.next` on.
 * True: it is done, for all of them, or with `error`, which is of `bucket`. FILE_CACHE_WAIT: call
 * it again when a sync has ended.
 */
bool ends_step(struct file_cache *cache, struct job *job, unsigned index, unsigned workers);

#endif
