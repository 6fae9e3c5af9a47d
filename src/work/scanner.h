/*
 * scanner: carries a JOB_SCAN on by one step.
 *
 * First the headers are walked from `offset` on, to find where the reply ends: its length and the
 * next offset are in the head of the reply, before the first byte of a record. Then the bytes in
 * between are read in pieces, as they are. All of them are complete, so they do not change.
 *
 * Called by the worker that owns the bucket. It waits for the disk. A step is one piece, or some
 * reads of headers.
 */
#ifndef ROCHEFORT_WORK_SCANNER_H
#define ROCHEFORT_WORK_SCANNER_H

#include <stdbool.h>
#include <stdint.h>

#include "store/bucket.h"
#include "work/job.h"
#include "work/reader.h"

/* There is no file yet, but somebody else who makes it: as if it were empty. */
void scanner_without_file(struct job *job);

/*
 * READER_DONE: `error` is 0, and the result in job->scan; then there is a piece, with `more` if
 * others follow, unless `at_end`, `bytes` is 0 or `header_only`. Or the error is, in this order,
 *   STORE_PAST_END      the bucket ends before `offset`
 *   STORE_OTHER_RECORD  what `has_last` asks for is not so
 *   STORE_NOT_FOUND     no record starts at `offset`
 * or another one of reading; STORE_CHANGED if a piece would be of another file than the one before.
 * READER_YIELD: it is not done.
 */
enum reader_result scanner_step(struct job *job, struct bucket *bucket);

#endif
