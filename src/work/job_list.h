/*
 * job_list: jobs in the order in which they were added, linked by `route.next`.
 *
 * A job is in one list at most. A zeroed list is empty. Belongs to one thread.
 */
#ifndef ROCHEFORT_WORK_JOB_LIST_H
#define ROCHEFORT_WORK_JOB_LIST_H

#include <stddef.h>

#include "work/job.h"

struct job_list {
    struct job *first, *last;
};

static inline void job_list_add(struct job_list *list, struct job *job)
{
    job->route.next = NULL;
    *(list->first != NULL ? &list->last->route.next : &list->first) = job;
    list->last = job;
}

/* Takes the first one out of a list that is not empty. */
static inline struct job *job_list_pop(struct job_list *list)
{
    struct job *job = list->first;
    list->first = job->route.next;
    return job;
}

/* Adds all jobs of a list to the end of another one. */
static inline void job_list_move(struct job_list *from, struct job_list *to)
{
    if (from->first == NULL)
        return;
    *(to->first != NULL ? &to->last->route.next : &to->first) = from->first;
    to->last = from->last;
    from->first = NULL;
}

#endif
