#include "work/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/thread.h"
#include "work/append_batches.h"
#include "work/bucket_syncs.h"
#include "work/closes.h"
#include "work/file_cache.h"
#include "work/job_list.h"
#include "work/job_values.h"
#include "work/mailbox.h"
#include "work/open_prefix.h"
#include "work/reader.h"
#include "work/reads.h"
#include "work/resolver.h"
#include "work/single_client.h"
#include "work/sync_schedule.h"
#include "work/worker_counts.h"

struct worker {
    struct worker_options options;
    pthread_t thread;
    struct mailbox mailbox;

    /* worker thread */
    bool stopping;
    struct single_client single_client;
    struct file_cache cache;
    struct sync_schedule schedule;
    struct append_batches batches;
    struct resolver resolver;
    struct bucket_syncs syncs;
    struct reads reads;
    struct closes closes;
    int last_error; /* of the last syncs and closes */
};

static void write_appends(struct worker *worker)
{
    struct append_batches *batches = &worker->batches;
    mailbox_complete_all(&worker->mailbox, append_batches_write(batches));
    while (batches->synced != NULL)
        mailbox_complete_all(&worker->mailbox, append_batches_write_synced(batches));
}

/* The job gets the figures, too. */
static void check_room(struct worker *worker, struct job *job)
{
    struct root_room room;
    int error = root_check_room(worker->options.root, &room);
    memcpy(job->small, &room, sizeof(room));
    job->small_bytes = room.size_bytes > 0 ? sizeof(room) : 0;
    mailbox_complete(&worker->mailbox, job, error);
}

/* NULL: it is not done yet. */
static void end_resolve(struct worker *worker, struct job *job)
{
    if (job == NULL)
        return;
    if (job->error == FILE_CACHE_WAIT)
        reads_wait(&worker->reads, job);
    else
        mailbox_complete(&worker->mailbox, job, job->error);
}

static void close_files(struct worker *worker, struct job *job)
{
    if (job->route.close == JOB_CLOSE_UNREAD) {
        closes_mark_reads(&worker->reads.queue, job->route.prefix);
        closes_mark_reads(&worker->reads.waiting, job->route.prefix);
    }
    if (closes_begin(&worker->closes, job))
        mailbox_complete(&worker->mailbox, job, job->error);
}

/* A sync has ended that a close has waited for. */
static void go_on_closing_files(struct worker *worker, struct bucket_slot *slot, int error)
{
    struct job *job = closes_go_on(&worker->closes, slot, error);
    if (job != NULL)
        mailbox_complete(&worker->mailbox, job, job->error);
}

static void handle_message(struct worker *worker, enum mailbox_kind kind)
{
    if (kind == MAILBOX_STOP)
        worker->stopping = true;
    else
        heap_trim();
}

/* `quota` is that of the getMultis in this drain. */
static void handle_job(struct worker *worker, struct job *job, struct reader_quota *quota)
{
    single_client_popped(&worker->single_client, job->route.single_client);
    enum mailbox_kind kind = mailbox_kind(&worker->mailbox, job);
    if (kind != MAILBOX_JOB) {
        handle_message(worker, kind);
        return;
    }
    switch (job->kind) {
    case JOB_CHECK_VALUES:
        mailbox_complete(&worker->mailbox, job, job_values_check(job));
        break;
    case JOB_CHECK_ROOM:
        check_room(worker, job);
        break;
    case JOB_APPEND:
    case JOB_APPEND_MULTI:
        append_batches_add(&worker->batches, job);
        break;
    case JOB_READ:
    case JOB_READ_MULTI:
        reads_begin(&worker->reads, job, quota);
        break;
    case JOB_SCAN:
    case JOB_ENDS:
    case JOB_LIST:
        reads_queue(&worker->reads, job);
        break;
    case JOB_CLOSE:
        close_files(worker, job);
        break;
    case JOB_RESOLVE:
        end_resolve(worker, resolver_begin(&worker->resolver, job) ? job : NULL);
        break;
    }
}

/* What has waited for a descriptor may have it now. */
static void try_waiting(struct worker *worker, struct reader_quota *quota)
{
    struct job_list waiting = worker->reads.waiting;
    worker->reads.waiting = (struct job_list){0};
    while (waiting.first != NULL)
        handle_job(worker, job_list_pop(&waiting), quota);
}

/* If a scan waits for it. */
static void tell_sync(struct worker *worker, struct bucket_slot *slot)
{
    if (!slot->tell_sync)
        return;
    slot->tell_sync = false;
    atomic_store(&slot->prefix->synced[slot - slot->prefix->slots], true);
    mailbox_tell_synced(&worker->mailbox);
}

static void end_syncs(struct worker *worker, struct reader_quota *quota)
{
    if (!bucket_syncs_done(&worker->syncs))
        return;
    struct bucket_sync *sync = bucket_syncs_collect(&worker->syncs);
    while (sync != NULL) {
        struct bucket_slot *slot = sync->slot;
        struct bucket_sync *next = sync->next;
        int error;
        mailbox_complete_all(&worker->mailbox,
                             append_batches_end_sync(&worker->batches, sync, &error));
        tell_sync(worker, slot);
        if (slot->closing && !slot->syncing)
            go_on_closing_files(worker, slot, error);
        if (worker->last_error == 0 && worker->stopping)
            worker->last_error = error;
        sync = next;
    }
    try_waiting(worker, quota);
}

static bool is_ready(const void *argument)
{
    const struct worker *worker = argument;
    return mailbox_count(&worker->mailbox) > 0 || bucket_syncs_done(&worker->syncs);
}

/* One drain: what is there now; what comes meanwhile is for the next. */
static void drain(struct worker *worker)
{
    struct reader_quota quota = READER_QUOTA;
    end_syncs(worker, &quota);
    for (size_t jobs = mailbox_count(&worker->mailbox); jobs > 0; jobs--)
        handle_job(worker, mailbox_take(&worker->mailbox), &quota);
    write_appends(worker);
    append_batches_start_due(&worker->batches);
    mailbox_signal_loop(&worker->mailbox);
}

/* The syncs that are still owed, and those under way, but none that hangs. */
static void make_last_syncs(struct worker *worker)
{
    uint64_t until_ns = 0;
    unsigned left_before = 0;
    worker->batches.ending = true;
    while (true) {
        sync_schedule_expedite_all(&worker->schedule);
        drain(worker);
        unsigned left = worker->syncs.under_way + worker->schedule.count;
        if (left == 0)
            return;
        uint64_t now_ns = clock_monotonic_ns();
        if (left != left_before) {
            until_ns = now_ns + WORKER_LAST_SYNC_SECONDS * CLOCK_NS_PER_SECOND;
            if (worker->options.syncs_owed != NULL)
                worker->options.syncs_owed(WORKER_LAST_SYNC_SECONDS);
        }
        left_before = left;
        if (now_ns >= until_ns)
            return;
        mailbox_sleep(&worker->mailbox, until_ns, is_ready, worker);
    }
}

static void *run_worker(void *argument)
{
    struct worker *worker = argument;
    while (true) {
        drain(worker);
        bool has_work = reads_has_work(&worker->reads) || resolver_has_work(&worker->resolver);
        if (reads_has_work(&worker->reads))
            reads_step(&worker->reads);
        if (resolver_has_work(&worker->resolver))
            end_resolve(worker, resolver_step(&worker->resolver));
        if (!has_work && worker->stopping)
            break;
        if (!has_work && !single_client_spin(&worker->single_client, is_ready, worker))
            mailbox_sleep(&worker->mailbox, sync_schedule_due_ns(&worker->schedule), is_ready,
                          worker);
    }
    make_last_syncs(worker);
    if (worker->syncs.under_way + worker->schedule.count > 0)
        return NULL; /* see worker_join */
    int error = file_cache_close_all(&worker->cache);
    if (worker->last_error == 0)
        worker->last_error = error;
    return NULL;
}

void worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    mailbox_free(&worker->mailbox);
    append_batches_free(&worker->batches);
    bucket_syncs_free(&worker->syncs);
    free(worker);
}

static void init_parts(struct worker *worker)
{
    const struct worker_options *options = &worker->options;
    worker->syncs = (struct bucket_syncs){.pool = options->sync_pool,
                                          .names = options->names,
                                          .wake = mailbox_wake,
                                          .argument = &worker->mailbox};
    sync_schedule_init(&worker->schedule, options->root, options->sync_after_ms,
                       options->syncs_at_once, options->notice);
    file_cache_init(&worker->cache, options->root, &worker->schedule, options->max_files,
                    options->notice);
    worker->cache.names = options->names;
    worker->batches.cache = &worker->cache;
    worker->batches.schedule = &worker->schedule;
    worker->batches.syncs = &worker->syncs;
    worker->resolver = (struct resolver){.root = options->root,
                                         .cache = &worker->cache,
                                         .buckets_if_new = options->buckets_if_new,
                                         .slots_if_new = options->slots_if_new};
    worker->reads = (struct reads){.root = options->root,
                                   .index = options->index,
                                   .workers = options->workers,
                                   .mailbox = &worker->mailbox,
                                   .cache = &worker->cache,
                                   .batches = &worker->batches};
    worker->closes = (struct closes){.cache = &worker->cache,
                                     .schedule = &worker->schedule,
                                     .index = options->index,
                                     .workers = options->workers};
    single_client_init_worker(&worker->single_client);
}

int worker_start(const struct worker_options *options, struct worker **out)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return -ENOMEM;
    worker->options = *options;
    init_parts(worker);
    int error =
        mailbox_init(&worker->mailbox, options->ring_capacity, options->loop, options->loop_fd);
    if (error != 0) {
        free(worker);
        return error;
    }
    error = bucket_syncs_reserve(&worker->syncs, options->syncs_at_once);
    if (error == 0)
        error = thread_start(&worker->thread, run_worker, worker);
    if (error != 0) {
        worker_free(worker);
        return error;
    }
    *out = worker;
    return 0;
}

struct mailbox *worker_mailbox(struct worker *worker)
{
    return &worker->mailbox;
}

const struct worker_counts *worker_counts(const struct worker *worker)
{
    return &worker->batches.counts;
}

int worker_join(struct worker *worker, unsigned *hung)
{
    mailbox_push_stop(&worker->mailbox);
    mailbox_wake_pushed(&worker->mailbox);
    (void)pthread_join(worker->thread, NULL);
    *hung = worker->syncs.under_way + worker->schedule.count;
    return *hung > 0 ? -ETIMEDOUT : worker->last_error;
}
