#include "work/append_batches.h"

#include <errno.h>
#include <event2/buffer.h>

#include "base/clock.h"
#include "store/bucket.h"
#include "store/error.h"
#include "work/open_prefix.h"

void append_batches_free(struct append_batches *batches)
{
    batch_free(&batches->batch);
}

/* True if the slot had none. */
static bool add_to_slot(struct bucket_slot *slot, struct job *job)
{
    struct job *last = slot->appends;
    job->route.next = last != NULL ? last->route.next : job;
    if (last != NULL)
        last->route.next = job;
    slot->appends = job;
    return last == NULL;
}

void append_batches_add(struct append_batches *batches, struct job *job)
{
    struct bucket_slot *slot = &job->route.prefix->slots[job->bucket];
    if (batches->schedule->after_ms == 0)
        job->sync = true;
    batches->some_to_sync = batches->some_to_sync || job->sync;
    if (add_to_slot(slot, job)) {
        slot->next_dirty = batches->dirty;
        batches->dirty = slot;
    }
}

static struct job *remove_from_slot(struct bucket_slot *slot)
{
    struct job *first = slot->appends->route.next;
    slot->appends->route.next = NULL;
    slot->appends = NULL;
    return first;
}

static int open_to_append(struct append_batches *batches, const struct job *job, bool *of_sync)
{
    *of_sync = false;
    if (job->sync || batches->schedule->after_ms >= 0)
        return file_cache_open_to_sync(batches->cache, job->route.prefix, job->bucket, of_sync);
    return file_cache_open(batches->cache, job->route.prefix, job->bucket, true);
}

/* How long the records are that are in the file now. */
static int64_t written_bytes(const struct batch *batch)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < batch->record_count && batch->records[i].error == 0; i++)
        bytes += (int64_t)batch->records[i].bytes;
    return bytes;
}

/* Each record has its own result, unless an error is returned: the file cannot be opened or synced,
 * then none is in it. */
static int write_batch(struct append_batches *batches, const struct job *job, bool *of_sync)
{
    struct bucket_slot *slot = &job->route.prefix->slots[job->bucket];
    *of_sync = false;
    if (batches->root_error != 0)
        return batches->root_error;
    int error = open_to_append(batches, job, of_sync);
    if (error != 0)
        return error;
    if (bucket_append(slot->bucket, &batches->batch) == STORE_NO_FILE) {
        file_cache_close(batches->cache, slot); /* it was deleted or replaced */
        error = open_to_append(batches, job, of_sync);
        if (error != 0)
            return error;
        (void)bucket_append(slot->bucket, &batches->batch);
    }
    if (!job->sync && batches->schedule->after_ms < 0)
        return 0;
    int64_t bytes = written_bytes(&batches->batch);
    if (bytes > 0 && job->sync) {
        error = sync_schedule_sync(batches->schedule, slot);
        *of_sync = error != 0;
        if (error != 0)
            bucket_rollback(slot->bucket, bucket_tail(slot->bucket) - bytes);
    } else if (bytes > 0) {
        sync_schedule_add(batches->schedule, slot);
    }
    return error;
}

/* Writes a list of jobs that is not empty, all for one bucket, all to be synced or none. Returns
 * its end. */
static struct job **write_jobs(struct append_batches *batches, struct job *jobs)
{
    struct batch *batch = &batches->batch;
    batch_reset(batch);
    struct job *added = jobs;
    do {
        int parts = evbuffer_peek(added->value, -1, NULL, NULL, 0);
        struct iovec *room = batch_add(batch, batches->time_ns,
                                       (uint32_t)evbuffer_get_length(added->value), (size_t)parts);
        added->error = room == NULL ? -ENOMEM : 0;
        if (room != NULL)
            (void)evbuffer_peek(added->value, -1, NULL, room, parts);
    } while ((added = added->route.next) != NULL);
    bool of_sync;
    int error = write_batch(batches, jobs, &of_sync);
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

/* All but those that are to be synced. */
static struct job *remove_not_to_sync(struct append_batches *batches, struct bucket_slot *slot)
{
    struct job *job = remove_from_slot(slot), *next, *first = NULL, **end = &first;
    if (!batches->some_to_sync)
        return job;
    for (; job != NULL; job = next) {
        next = job->route.next;
        if (job->sync) {
            (void)add_to_slot(slot, job);
        } else {
            *end = job;
            end = &job->route.next;
        }
    }
    *end = NULL;
    return first;
}

struct job *append_batches_write(struct append_batches *batches)
{
    struct job *done = NULL, **end = &done;
    if (batches->dirty == NULL)
        return NULL;
    batches->time_ns = clock_realtime_ns();
    batches->root_error = root_check(batches->cache->root);
    while (batches->dirty != NULL) {
        struct bucket_slot *slot = batches->dirty;
        batches->dirty = slot->next_dirty;
        struct job *jobs = remove_not_to_sync(batches, slot);
        if (slot->appends != NULL) {
            slot->next_dirty = batches->synced;
            batches->synced = slot;
        }
        *end = jobs;
        if (jobs != NULL)
            end = write_jobs(batches, jobs);
    }
    batches->some_to_sync = false;
    return done;
}

struct job *append_batches_write_synced(struct append_batches *batches)
{
    struct bucket_slot *slot = batches->synced;
    batches->synced = slot->next_dirty;
    struct job *jobs = remove_from_slot(slot);
    /* again, as the sync of the bucket before may have taken its time */
    batches->root_error = root_check(batches->cache->root);
    (void)write_jobs(batches, jobs);
    return jobs;
}
