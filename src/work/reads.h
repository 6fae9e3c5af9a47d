/*
 * reads: the jobs of a worker that read, and how far each of them may go before others have their
 * turn.
 *
 * What the page cache can answer is answered at once; all else is put on `queue`, and is carried on
 * one step at a time, in order. What needs a descriptor that only the end of a sync can free is in
 * `waiting`, and is tried again then.
 *
 * A part of the worker, on its thread. Errors are in the jobs, which are handed back through the
 * mailbox.
 */
#ifndef ROCHEFORT_WORK_READS_H
#define ROCHEFORT_WORK_READS_H

#include <stdbool.h>

#include "store/root.h"
#include "work/append_batches.h"
#include "work/file_cache.h"
#include "work/job_list.h"
#include "work/mailbox.h"
#include "work/reader.h"

struct reads {
    const struct root *root;
    unsigned index, workers;
    struct mailbox *mailbox;
    struct file_cache *cache;
    struct append_batches *batches; /* for the syncs of scans, and the counts */
    struct job_list queue;          /* in pieces, or waiting for the disk */
    struct job_list waiting;        /* all but appends: for a sync that has to end first */
};

/* A JOB_READ or JOB_READ_MULTI that has come. `quota` is that of the getMultis in this drain. */
void reads_begin(struct reads *reads, struct job *job, struct reader_quota *quota);

/* A JOB_SCAN, JOB_ENDS or JOB_LIST that has come: never done at once. */
void reads_queue(struct reads *reads, struct job *job);

/* A job that has ended with FILE_CACHE_WAIT, of whatever kind. */
void reads_wait(struct reads *reads, struct job *job);

/* Whether reads_step has something to do. */
bool reads_has_work(const struct reads *reads);

/* One step of the first job in the queue. */
void reads_step(struct reads *reads);

#endif
