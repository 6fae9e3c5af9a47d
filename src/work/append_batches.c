#include "work/append_batches.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>

#include "base/clock.h"
#include "store/bucket.h"
#include "store/error.h"
#include "work/job_list.h"
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

static void add_all_to_slot(struct bucket_slot *slot, struct job *job)
{
    for (struct job *next; job != NULL; job = next) {
        next = job->route.next;
        (void)add_to_slot(slot, job);
    }
}

static struct job *remove_from_slot(struct bucket_slot *slot)
{
    if (slot->appends == NULL)
        return NULL;
    struct job *first = slot->appends->route.next;
    slot->appends->route.next = NULL;
    slot->appends = NULL;
    return first;
}

static void add_first_to_slot(struct bucket_slot *slot, struct job *jobs)
{
    struct job *others = remove_from_slot(slot);
    add_all_to_slot(slot, jobs);
    add_all_to_slot(slot, others);
}

static void push_slot(struct bucket_slot **list, struct bucket_slot *slot)
{
    slot->next_dirty = *list;
    *list = slot;
}

void append_batches_add(struct append_batches *batches, struct job *job)
{
    struct bucket_slot *slot = &job->route.prefix->slots[job->bucket];
    if (batches->schedule->after_ms == 0)
        job->sync = true;
    batches->some_to_sync = batches->some_to_sync || job->sync;
    if (add_to_slot(slot, job) && !slot->syncing)
        push_slot(&batches->dirty, slot);
}

/* Room for the offsets of a list, which is made before the list is written: when that is done
 * nothing may fail any more. NULL when out of memory. */
static uint64_t *make_offsets(struct job *job)
{
    struct evbuffer_iovec room;
    size_t bytes = (size_t)job->values.found.count * JOB_OFFSET_BYTES;
    if (job->piece == NULL)
        job->piece = evbuffer_new();
    if (job->piece == NULL ||
        evbuffer_drain(job->piece, evbuffer_get_length(job->piece)) !=
            0 || /* it is written again */
        evbuffer_reserve_space(job->piece, (ev_ssize_t)bytes, &room, 1) != 1)
        return NULL;
    return room.iov_base;
}

/* They are in their room. */
static void commit_offsets(struct job *job, const struct batch_record *record)
{
    struct evbuffer_iovec room = {record->offsets, (size_t)record->values * JOB_OFFSET_BYTES};
    int committed = evbuffer_commit_space(job->piece, &room, 1);
    assert(committed == 0); /* it is the room that was reserved last */
    (void)committed;
}

/* Its value, or its list. 0 or -ENOMEM. */
static int add_to_batch(struct append_batches *batches, struct job *job)
{
    struct batch *batch = &batches->batch;
    struct iovec *room = NULL;
    uint64_t *offsets;
    int parts = evbuffer_peek(job->value, -1, NULL, NULL, 0);
    if (job->kind == JOB_APPEND)
        room = batch_add(batch, batches->time_ns, (uint32_t)evbuffer_get_length(job->value),
                         (size_t)parts);
    else if ((offsets = make_offsets(job)) != NULL)
        room = batch_add_list(batch, batches->time_ns, &job->values.found, offsets, (size_t)parts);
    if (room == NULL)
        return -ENOMEM;
    (void)evbuffer_peek(job->value, -1, NULL, room, parts);
    if (job->expects)
        batch_expect(batch, job->expected);
    return 0;
}

/* Each record has its own result, unless an error is returned: then none is in the file. */
static int write_batch(struct append_batches *batches, const struct job *job)
{
    struct bucket_slot *slot = &job->route.prefix->slots[job->bucket];
    if (batches->root_error != 0)
        return batches->root_error;
    if (slot->sync_refused && (job->sync || batches->schedule->after_ms >= 0))
        return STORE_SYNC_REFUSED;
    int error = file_cache_open(batches->cache, job->route.prefix, job->bucket, true);
    if (error != 0)
        return error;
    if (bucket_append(slot->bucket, &batches->batch) != STORE_NO_FILE)
        return 0;
    /* it was deleted or replaced */
    if (file_cache_close(batches->cache, slot) == FILE_CACHE_WAIT)
        return FILE_CACHE_WAIT;
    error = file_cache_open(batches->cache, job->route.prefix, job->bucket, true);
    if (error == 0)
        (void)bucket_append(slot->bucket, &batches->batch);
    return error;
}

static void count_append(struct worker_counts *counts, const struct job *job)
{
    uint64_t records = job->kind == JOB_APPEND ? 1 : job->values.found.count;
    uint64_t lengths = job->kind == JOB_APPEND ? 0 : records * VALUE_LIST_LENGTH_BYTES;
    worker_count_add(&counts->appended_records, records);
    worker_count_add(&counts->appended_bytes, evbuffer_get_length(job->value) - lengths);
}

static void count_sync(struct worker_counts *counts, const struct bucket_sync *sync)
{
    if (sync->error != 0 && !sync->failed)
        return; /* there was none */
    worker_count_add(&counts->syncs_failed, sync->error != 0);
    worker_count_add(&counts->sync_ns, sync->took_ns);
    worker_count_add(&counts->syncs_up_to[durations_bound(sync->took_ns)], 1);
}

/* Writes a list of jobs that is not empty, all for one bucket, all to be synced or none.
 * FILE_CACHE_WAIT: nothing has happened; otherwise `*end` is that of the list. */
static int write_jobs(struct append_batches *batches, struct job *jobs, struct job ***end)
{
    struct batch *batch = &batches->batch;
    batch_reset(batch);
    struct job *added = jobs;
    do
        added->error = add_to_batch(batches, added);
    while ((added = added->route.next) != NULL);
    int error = write_batch(batches, jobs);
    if (error == FILE_CACHE_WAIT)
        return error;
    const struct batch_record *record = batch->records;
    bool written = false;
    for (struct job *job = jobs; job != NULL; job = job->route.next) {
        *end = &job->route.next;
        job->sync = false;
        if (job->error != 0)
            continue;
        job->offset = record->offset;
        job->error = error != 0 ? error : record->error;
        if (job->error == 0 && job->kind == JOB_APPEND_MULTI)
            commit_offsets(job, record);
        if (job->error == 0)
            count_append(&batches->counts, job);
        written = written || job->error == 0;
        record++;
    }
    worker_count_add(&batches->counts.writes, written);
    return error;
}

static void wait_for_descriptor(struct append_batches *batches, struct bucket_slot *slot,
                                struct job *jobs)
{
    add_first_to_slot(slot, jobs);
    push_slot(&batches->waiting, slot);
    slot->waiting = true;
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

/* Appends `jobs`, which are not NULL and not to be synced, to the list that ends at `end`. Returns
 * its end. NULL: they have to wait. */
static struct job **write_unsynced(struct append_batches *batches, struct bucket_slot *slot,
                                   struct job *jobs, struct job **end)
{
    struct job **new_end;
    int error = write_jobs(batches, jobs, &new_end);
    if (error == FILE_CACHE_WAIT)
        return NULL;
    *end = jobs;
    if (batches->schedule->after_ms > 0 && error == 0 && batch_written_bytes(&batches->batch) > 0)
        sync_schedule_add(batches->schedule, slot);
    return new_end;
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
        struct job **new_end = jobs != NULL ? write_unsynced(batches, slot, jobs, end) : end;
        if (new_end == NULL) {
            wait_for_descriptor(batches, slot, jobs);
            continue;
        }
        end = new_end;
        if (slot->appends != NULL)
            push_slot(&batches->synced, slot);
    }
    batches->some_to_sync = false;
    return done;
}

static void start_sync(struct append_batches *batches, struct bucket_sync *sync,
                       struct bucket_slot *slot)
{
    sync->slot = slot;
    file_cache_pin(batches->cache, slot);
    bucket_syncs_start(batches->syncs, sync);
}

/* Those that have not failed before; or whose end was not what they expected, if it lay behind
 * `tail`: it did so because of the others. */
static struct job *fail_jobs(struct job *jobs, int64_t tail, int error, bool of_sync)
{
    for (struct job *job = jobs; job != NULL; job = job->route.next) {
        if (job->error != 0 && (job->error != STORE_OTHER_END || job->offset <= tail))
            continue;
        job->error = error;
        job->sync = of_sync;
    }
    return jobs;
}

struct job *append_batches_write_synced(struct append_batches *batches)
{
    struct bucket_slot *slot = batches->synced;
    batches->synced = slot->next_dirty;
    struct job *jobs = remove_from_slot(slot), **end;
    struct bucket_sync *sync = bucket_syncs_new(batches->syncs);
    if (sync == NULL)
        return fail_jobs(jobs, 0, -ENOMEM, false);
    int error = write_jobs(batches, jobs, &end);
    if (error == FILE_CACHE_WAIT)
        wait_for_descriptor(batches, slot, jobs);
    sync->bytes = error == 0 ? (int64_t)batch_written_bytes(&batches->batch) : 0;
    if (sync->bytes == 0) {
        bucket_syncs_release(batches->syncs, sync);
        return error == FILE_CACHE_WAIT ? NULL : jobs;
    }
    sync->jobs = jobs;
    bucket_hold_end(slot->bucket, sync->bytes);
    sync->promised = sync_schedule_remove(batches->schedule, slot);
    start_sync(batches, sync, slot);
    return NULL;
}

int append_batches_start_sync(struct append_batches *batches, struct bucket_slot *slot)
{
    if (slot->syncing)
        return 0;
    struct bucket_sync *sync = bucket_syncs_new(batches->syncs);
    if (sync == NULL)
        return -ENOMEM;
    sync->promised = sync_schedule_remove(batches->schedule, slot);
    start_sync(batches, sync, slot);
    return 0;
}

void append_batches_start_due(struct append_batches *batches)
{
    struct bucket_slot *slot;
    while ((slot = sync_schedule_take(batches->schedule)) != NULL) {
        struct bucket_sync *sync = bucket_syncs_new_reserved(batches->syncs);
        sync->promised = true;
        start_sync(batches, sync, slot);
    }
}

/* The directory was deleted, so the files are made anew, and the appends written again. Returns
 * those that had failed before. */
static struct job *write_again(struct bucket_slot *slot, struct job *jobs)
{
    struct job_list failed = {0}, again = {0};
    for (struct job *job = jobs, *next; job != NULL; job = next) {
        next = job->route.next;
        job->sync = job->error == 0 || job->error == STORE_OTHER_END; /* of a file that is gone */
        job_list_add(job->sync ? &again : &failed, job);
    }
    add_first_to_slot(slot, again.first);
    return failed.first;
}

/* The sync has failed, or was not tried. */
static void take_back(struct append_batches *batches, const struct bucket_sync *sync)
{
    struct bucket_slot *slot = sync->slot;
    int error = sync->error;
    if (sync->jobs != NULL)
        bucket_rollback(slot->bucket, bucket_tail(slot->bucket) - sync->bytes);
    if (sync->jobs != NULL)
        (void)fail_jobs(sync->jobs, bucket_tail(slot->bucket), error, error != STORE_SYNC_REFUSED);
    if (!sync->failed && sync->promised && !slot->closing && !batches->ending) {
        sync_schedule_add(batches->schedule, slot); /* tried again, as there was no sync */
        return;
    }
    const char *what = sync->of_names ? "its name" : "it";
    if (sync->promised)
        what = "appends that were answered";
    else if (error == STORE_SYNC_REFUSED)
        what = NULL;
    if (sync->promised || sync->failed)
        sync_schedule_refuse(batches->schedule, slot, what, error);
}

/* What the bucket has is complete now, and on the disk. */
static void note_synced(const struct bucket_slot *slot)
{
    int64_t end;
    if (bucket_find_end(slot->bucket, &end) == 0)
        bucket_set_synced(slot->bucket, end);
}

/* If there is something to write, and it may be. A slot that is being synced follows when it has
 * ended. */
static void set_dirty(struct append_batches *batches, struct bucket_slot *slot)
{
    if (slot->appends == NULL || slot->syncing)
        return;
    batches->some_to_sync = true;
    push_slot(&batches->dirty, slot);
}

struct job *append_batches_end_sync(struct append_batches *batches, struct bucket_sync *sync,
                                    int *error)
{
    struct bucket_slot *slot = sync->slot;
    struct job *done = sync->jobs;
    bool names_not_tried = sync->of_names && !sync->failed;
    *error = 0;
    /* not this bucket's descriptor */
    if (names_not_tried && file_cache_free_descriptor(batches->cache, sync->error)) {
        bucket_syncs_start(batches->syncs, sync);
        return NULL;
    }
    count_sync(&batches->counts, sync);
    file_cache_unpin(batches->cache, slot);
    bucket_hold_end(slot->bucket, 0);
    if (sync->is_reserved)
        sync_schedule_done(batches->schedule);
    if (names_not_tried && sync->error == -ENOENT) {
        if (done != NULL)
            (void)file_cache_close(batches->cache, slot);
        done = write_again(slot, done);
    } else if (sync->error != 0) {
        take_back(batches, sync);
        *error = sync->promised ? sync->error : 0;
    } else {
        note_synced(slot);
    }
    bucket_syncs_release(batches->syncs, sync);
    if (!slot->waiting)
        set_dirty(batches, slot);
    while (batches->waiting != NULL) { /* this one may be closed for them now */
        struct bucket_slot *waiting = batches->waiting;
        batches->waiting = waiting->next_dirty;
        waiting->waiting = false;
        set_dirty(batches, waiting);
    }
    return done;
}
