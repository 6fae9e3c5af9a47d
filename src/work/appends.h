/*
 * appends: those that a worker has found in one drain of its ring.
 *
 * All that go to one bucket become one write, in the order in which they came.
 * Those that are to be synced follow in a second write, with one fdatasync for
 * all of them; so the others can be answered before it. If it fails they are
 * taken out of the file again: nobody was told of them.
 *
 * Belongs to the worker's thread. The jobs stay the caller's: what is answered
 * is a list of those that are done, by `route.next`, with `error`, `offset` and
 * `sync` set.
 */
#ifndef ROCHEFORT_WORK_APPENDS_H
#define ROCHEFORT_WORK_APPENDS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/batch.h"
#include "work/files.h"
#include "work/job.h"

/* Zeroed but for `files` it is empty. */
struct appends {
    struct files *files;
    struct batch batch;
    uint64_t time_ns;           /* of the records of this drain */
    bool some_to_sync;          /* of those that were taken */
    struct bucket_slot *dirty;  /* buckets with appends in this drain */
    struct bucket_slot *synced; /* those of them whose appends are to be synced */
};

void appends_free(struct appends *appends);

void appends_take(struct appends *appends, struct job *job);

/* Writes those that need no sync, of all buckets. What was taken must not grow until the others are
 * written too. */
struct job *appends_write(struct appends *appends);

/* Writes and syncs the others of one bucket, as long as `synced` is not NULL. */
struct job *appends_write_synced(struct appends *appends);

#endif
