#include "work/appends.h"

#include <errno.h>
#include <event2/buffer.h>

#include "base/clock.h"
#include "store/bucket.h"
#include "store/error.h"
#include "work/open_prefix.h"

void appends_free(struct appends *appends)
{
    batch_free(&appends->batch);
}

/* True if the slot had none. */
static bool add_last(struct bucket_slot *slot, struct job *job)
{
    struct job *last = slot->appends;
    job->route.next = last != NULL ? last->route.next : job;
    if (last != NULL)
        last->route.next = job;
    slot->appends = job;
    return last == NULL;
}

void appends_take(struct appends *appends, struct job *job)
{
    struct bucket_slot *slot = &job->route.prefix->slots[job->bucket];
    if (appends->files->sync_after_ms == 0)
        job->sync = true;
    appends->some_to_sync = appends->some_to_sync || job->sync;
    if (add_last(slot, job)) {
        slot->next_dirty = appends->dirty;
        appends->dirty = slot;
    }
}

static struct job *take_all(struct bucket_slot *slot)
{
    struct job *first = slot->appends->route.next;
    slot->appends->route.next = NULL;
    slot->appends = NULL;
    return first;
}

static int open_bucket(struct appends *appends, const struct job *job, bool *of_sync)
{
    *of_sync = false;
    if (job->sync || appends->files->sync_after_ms >= 0)
        return files_open_to_sync(appends->files, job->route.prefix, job->bucket, of_sync);
    return files_open(appends->files, job->route.prefix, job->bucket, true);
}

/* How long the records are that are in the file now. */
static int64_t written_bytes(const struct batch *batch)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < batch->record_count && batch->records[i].error == 0; i++)
        bytes += (int64_t)batch->records[i].bytes;
    return bytes;
}

/* Each record carries its own result, unless it is answered: the file cannot be opened or synced,
 * then none is in it. */
static int write_batch(struct appends *appends, const struct job *job, bool *of_sync)
{
    struct bucket_slot *slot = &job->route.prefix->slots[job->bucket];
    int error = open_bucket(appends, job, of_sync);
    if (error != 0)
        return error;
    if (bucket_append(slot->bucket, &appends->batch) == STORE_NO_FILE) {
        files_close(appends->files, slot); /* it was deleted or replaced */
        error = open_bucket(appends, job, of_sync);
        if (error != 0)
            return error;
        (void)bucket_append(slot->bucket, &appends->batch);
    }
    if (!job->sync && appends->files->sync_after_ms < 0)
        return 0;
    int64_t bytes = written_bytes(&appends->batch);
    if (bytes > 0 && job->sync) {
        error = files_sync(appends->files, slot);
        *of_sync = error != 0;
        if (error != 0)
            bucket_rollback(slot->bucket, bucket_tail(slot->bucket) - bytes);
    } else if (bytes > 0) {
        files_appended(appends->files, slot);
    }
    return error;
}

/* Writes a list of jobs that is not empty, all for one bucket, all to be synced or none. Answers
 * its end. */
static struct job **write_jobs(struct appends *appends, struct job *jobs)
{
    struct batch *batch = &appends->batch;
    batch_reset(batch);
    struct job *added = jobs;
    do {
        int parts = evbuffer_peek(added->value, -1, NULL, NULL, 0);
        struct iovec *room = batch_add(batch, appends->time_ns,
                                       (uint32_t)evbuffer_get_length(added->value), (size_t)parts);
        added->error = room == NULL ? -ENOMEM : 0;
        if (room != NULL)
            (void)evbuffer_peek(added->value, -1, NULL, room, parts);
    } while ((added = added->route.next) != NULL);
    bool of_sync;
    int error = write_batch(appends, jobs, &of_sync);
    const struct batch_record *record = batch->records;
    struct job **end = NULL;
    for (struct job *job = jobs; job != NULL; job = job->route.next) {
        end = &job->route.next;
        job->sync = false;
        if (job->error != 0)
            continue;
        job->offset = record->offset;
        job->error = error != 0 ? error : record->error;
        job->sync = of_sync;
        record++;
    }
    return end;
}

/* Leaves those in the slot that are to be synced. */
static struct job *take_unsynced(struct appends *appends, struct bucket_slot *slot)
{
    struct job *job = take_all(slot), *next, *first = NULL, **end = &first;
    if (!appends->some_to_sync)
        return job;
    for (; job != NULL; job = next) {
        next = job->route.next;
        if (job->sync) {
            (void)add_last(slot, job);
        } else {
            *end = job;
            end = &job->route.next;
        }
    }
    *end = NULL;
    return first;
}

struct job *appends_write(struct appends *appends)
{
    struct job *done = NULL, **end = &done;
    if (appends->dirty == NULL)
        return NULL;
    appends->time_ns = clock_realtime_ns();
    while (appends->dirty != NULL) {
        struct bucket_slot *slot = appends->dirty;
        appends->dirty = slot->next_dirty;
        struct job *jobs = take_unsynced(appends, slot);
        if (slot->appends != NULL) {
            slot->next_dirty = appends->synced;
            appends->synced = slot;
        }
        *end = jobs;
        if (jobs != NULL)
            end = write_jobs(appends, jobs);
    }
    appends->some_to_sync = false;
    return done;
}

struct job *appends_write_synced(struct appends *appends)
{
    struct bucket_slot *slot = appends->synced;
    appends->synced = slot->next_dirty;
    struct job *jobs = take_all(slot);
    (void)write_jobs(appends, jobs);
    return jobs;
}
