/*
 * prefix_data: what a request may know of the prefix that it went to, and keep in it.
 *
 * To be called from a job's `done`, or after `done` with `more` until the job is resumed or
 * abandoned. The prefix is not open if no bucket was tried. Loop thread.
 */
#ifndef ROCHEFORT_WORK_PREFIX_DATA_H
#define ROCHEFORT_WORK_PREFIX_DATA_H

#include "store/manifest.h"
#include "work/job.h"

/* How many buckets the job's prefix has; 0 if it is not open. */
unsigned prefix_data_buckets(const struct job *job);

/* How ids find their buckets; NULL if it is not open. */
const struct manifest *prefix_data_manifest(const struct job *job);

/*
 * A pointer of the caller's own, one for each open prefix, for example to what it has computed for
 * all requests to it. NULL if none was set.
 */
void *prefix_data_get(const struct job *job);

/*
 * Sets it. `free_data` is called with it, on the loop thread, when the prefix is closed, when
 * another pointer takes its place, or in router_free. 0, or -EINVAL if the prefix of the job is not
 * open: then `data` stays the caller's.
 */
int prefix_data_set(const struct job *job, void *data, void (*free_data)(void *data));

#endif
