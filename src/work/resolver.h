/*
 * resolver: finds the prefixes that are to be opened, and makes new ones.
 *
 * A prefix can have 65536 files. They are made in steps of 64, and the worker serves
 * other requests between two steps; if several prefixes are made, one after the other
 * gets a step.
 *
 * Belongs to the worker's thread. The jobs stay the caller's: the functions return those
 * that are done, with `error` set, and the number of buckets in their prefix.
 */
#ifndef ROCHEFORT_WORK_RESOLVER_H
#define ROCHEFORT_WORK_RESOLVER_H

#include <stdbool.h>

#include "store/slots.h"
#include "work/file_cache.h"
#include "work/job_list.h"

/* Zeroed but for these it has nothing to do. */
struct resolver {
    const struct root *root;
    struct file_cache *cache; /* gives descriptors when there are too few */
    unsigned buckets_if_new;
    struct slots slots_if_new;
    struct job_list unfinished; /* their prefixes have files to be made */
};

/* Begins a JOB_RESOLVE. True: it is done already; see prefix_find, and FILE_CACHE_WAIT, which a
 * step may return too: then it is to be begun again. */
bool resolver_begin(struct resolver *resolver, struct job *job);

static inline bool resolver_has_work(const struct resolver *resolver)
{
    return resolver->unfinished.first != NULL;
}

/* If it has work: makes some files. Returns the job that is done with that, or NULL. */
struct job *resolver_step(struct resolver *resolver);

#endif
