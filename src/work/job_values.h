/*
 * job_values: looks at the values of a JOB_APPEND_MULTI before it is submitted.
 *
 * It takes time for a long list, so that is for a worker (router_check_values); a short one can be
 * looked at on the loop.
 */
#ifndef ROCHEFORT_WORK_JOB_VALUES_H
#define ROCHEFORT_WORK_JOB_VALUES_H

#include "work/job.h"

/* Sets `values.found` of the job, whose owner calls this. 0 or -ENOMEM. */
int job_values_check(struct job *job);

#endif
