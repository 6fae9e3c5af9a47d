#include "work/worker.h"

#include <errno.h>
#include <event2/buffer.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/log.h"
#include "store/bucket.h"
#include "store/error.h"
#include "store/prefix_list.h"
#include "work/append_batches.h"
#include "work/bucket_syncs.h"
#include "work/ends.h"
#include "work/file_cache.h"
#include "work/job_list.h"
#include "work/job_values.h"
#include "work/open_prefix.h"
#include "work/reader.h"
#include "work/resolver.h"
#include "work/ring.h"
#include "work/scanner.h"
#include "work/single_client.h"
#include "work/sync_schedule.h"
#include "work/worker_counts.h"

struct worker {
    struct worker_options options;
    pthread_t thread;
    struct ring *in, *out;
    struct sleeper sleeper;
    sem_t wake;

    /* loop thread */
    bool pushed; /* something since the last wake */

    struct job trim;         /* a message, not a request */
    atomic_bool trim_pushed; /* the worker has not seen it yet */

    /* worker thread */
    struct job stop; /* pushed last */
    bool stopping;
    bool completed;            /* something since the last signal to the loop */
    struct job synced;         /* a message to the loop: bits of scan_waits.h are set */
    atomic_bool synced_pushed; /* the loop has not seen it yet */
    struct single_client single_client;
    struct file_cache cache;
    struct sync_schedule schedule;
    struct append_batches batches;
    struct resolver resolver;
    struct bucket_syncs syncs;
    struct job_list long_reads; /* in pieces, or waiting for the disk */
    struct job_list waiting;    /* all but appends: for a sync that has to end first */
    int last_error;             /* of the last syncs and closes */
};

/* Admission counts jobs, and the rings have room for as many. A job that did not get in would never
 * get a reply, and a close would wait for it for ever. */
static void push_or_abort(struct ring *ring, struct job *job)
{
    if (ring_push(ring, job))
        return;
    log_line("a ring between loop and worker is full; this must not happen");
    log_flush();
    abort();
}

static void complete_job(struct worker *worker, struct job *job, int error)
{
    job->error = error;
    push_or_abort(worker->out, job);
    worker->completed = true;
}

static void signal_loop(struct worker *worker)
{
    if (!worker->completed)
        return;
    worker->completed = false;
    if (!sleeper_claim(worker->options.loop))
        return;
    const uint64_t one = 1;
    while (write(worker->options.loop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static void complete_appends(struct worker *worker, struct job *job)
{
    for (struct job *next; job != NULL; job = next) {
        next = job->route.next;
        complete_job(worker, job, job->error);
    }
}

static void write_appends(struct worker *worker)
{
    struct append_batches *batches = &worker->batches;
    complete_appends(worker, append_batches_write(batches));
    while (batches->synced != NULL)
        complete_appends(worker, append_batches_write_synced(batches));
}

static void complete_read(struct worker *worker, struct job *job)
{
    size_t bytes = job->piece != NULL ? evbuffer_get_length(job->piece) : job->small_bytes;
    worker_count_add(&worker->batches.counts.read_bytes, bytes - job->kept_bytes);
    complete_job(worker, job, job->error);
}

/* The job gets the figures, too. */
static void check_room(struct worker *worker, struct job *job)
{
    struct root_room room;
    int error = root_check_room(worker->options.root, &room);
    memcpy(job->small, &room, sizeof(room));
    job->small_bytes = room.size_bytes > 0 ? sizeof(room) : 0;
    complete_job(worker, job, error);
}

/* A scan of what is synced, of a file of which that is not known: it is synced, once. 0: that is
 * waited for. */
static int sync_for_scan(struct worker *worker, struct job *job, struct bucket_slot *slot)
{
    if (slot->sync_refused)
        return STORE_SYNC_REFUSED;
    if (job->scan.sync_tried && !slot->syncing)
        return STORE_NOT_SYNCED;
    job->scan.sync_tried = !slot->syncing;
    int error = append_batches_start_sync(&worker->batches, slot);
    if (error == 0)
        job_list_add(&worker->waiting, job);
    return error;
}

/* A reply that has begun goes on in the file that it has begun in. */
static int open_to_read(struct worker *worker, struct job *job)
{
    struct job_route *route = &job->route;
    int error = route->begun ? file_cache_open(&worker->cache, route->prefix, job->bucket, false)
                             : file_cache_open_current(&worker->cache, route->prefix, job->bucket);
    route->begun = error == 0;
    return error;
}

static void scan_job(struct worker *worker, struct job *job)
{
    struct open_prefix *prefix = job->route.prefix;
    struct bucket_slot *slot = &prefix->slots[job->bucket];
    int error = open_to_read(worker, job);
    if (error == FILE_CACHE_WAIT) {
        job_list_add(&worker->waiting, job);
        return;
    }
    if (error == STORE_NO_FILE && root_read_only(worker->options.root)) {
        scanner_without_file(job);
        complete_read(worker, job);
        return;
    }
    if (error == STORE_NO_FILE)
        error = file_cache_explain_missing(&worker->cache, prefix);
    if (error == 0 && job->scan.synced && bucket_synced_end(slot->bucket) < 0) {
        error = sync_for_scan(worker, job, slot);
        if (error == 0)
            return;
    }
    if (error != 0) {
        job->more = false;
        complete_job(worker, job, error);
        return;
    }
    enum reader_result result = scanner_step(job, slot->bucket);
    if (job->error == 0 && job->scan.at_end && job->scan.synced) {
        slot->tell_sync = slot->tell_sync || job->scan.follows;
        if (slot->sync_refused)
            job->error = STORE_SYNC_REFUSED; /* nothing more will be synced */
    }
    if (job->more)
        slot->in_pieces = true;
    if (result == READER_DONE)
        complete_read(worker, job);
    else
        job_list_add(&worker->long_reads, job);
}

static void find_ends(struct worker *worker, struct job *job)
{
    const struct worker_options *options = &worker->options;
    bool begins = job->ends.ends == NULL;
    int error = begins ? file_cache_check_prefix(&worker->cache, job->route.prefix) : 0;
    if (error != 0)
        complete_job(worker, job, error);
    else if (!ends_step(&worker->cache, job, options->index, options->workers))
        job_list_add(&worker->long_reads, job);
    else if (job->error == FILE_CACHE_WAIT)
        job_list_add(&worker->waiting, job);
    else
        complete_job(worker, job, job->error);
}

/* Some hundred microseconds, if the root is in memory. */
#define ENTRIES_IN_A_STEP 256

static void list_prefixes(struct worker *worker, struct job *job)
{
    bool done;
    do
        job->error =
            prefix_list_step(job->prefixes, worker->options.root, ENTRIES_IN_A_STEP, &done);
    while (file_cache_free_descriptor(&worker->cache, job->error));
    job->error = file_cache_wait_or(&worker->cache, job->error);
    if (!done)
        job_list_add(&worker->long_reads, job);
    else if (job->error == FILE_CACHE_WAIT)
        job_list_add(&worker->waiting, job);
    else
        complete_job(worker, job, job->error);
}

static void read_job(struct worker *worker, struct job *job, struct reader_quota *quota)
{
    struct bucket_slot *slot = &job->route.prefix->slots[job->bucket];
    int error = open_to_read(worker, job);
    if (error == FILE_CACHE_WAIT) {
        job_list_add(&worker->waiting, job);
        return;
    }
    if (error == FILE_CACHE_DELETED) { /* nothing of it is read yet */
        complete_job(worker, job, error);
        return;
    }
    if (error == STORE_NO_FILE)
        error = STORE_NOT_FOUND; /* it was never made, or it is gone with its records */
    if (error != 0) {
        reader_fail(job, error);
        complete_job(worker, job, error);
        return;
    }
    enum reader_result result =
        reader_read(job, slot->bucket, &slot->usual_bytes, job->route.may_wait, quota);
    job->route.may_wait = result == READER_BLOCKED;
    if (job->more)
        slot->in_pieces = true;
    if (result == READER_DONE)
        complete_read(worker, job);
    else
        job_list_add(&worker->long_reads, job);
}

static void read_queued(struct worker *worker)
{
    struct reader_quota quota = READER_QUOTA;
    struct job *job = job_list_pop(&worker->long_reads);
    if (job->kind == JOB_SCAN)
        scan_job(worker, job);
    else if (job->kind == JOB_ENDS)
        find_ends(worker, job);
    else if (job->kind == JOB_LIST)
        list_prefixes(worker, job);
    else
        read_job(worker, job, &quota);
}

static void mark_reads(const struct job_list *list, const struct open_prefix *prefix)
{
    for (const struct job *job = list->first; job != NULL; job = job->route.next)
        if (job->route.prefix == prefix && job->kind != JOB_RESOLVE)
            prefix->slots[job->bucket].in_pieces = true;
}

/* Of a close: the first error is reported, with the file that it is of. */
static void set_job_close_error(struct job *job, const struct bucket_slot *slot, int error,
                                bool of_sync)
{
    if (error == 0 || job->error != 0)
        return;
    job->error = error;
    job->sync = of_sync;
    job->bucket = (unsigned)(slot - slot->prefix->slots);
}

static bool stays_open(const struct bucket_slot *slot, enum job_close close)
{
    return (close == JOB_CLOSE_UNREAD && slot->in_pieces) ||
           (close == JOB_CLOSE_HEALTHY && slot->sync_refused);
}

/* Whatever the close may do with the file now. */
static void close_slot(struct worker *worker, struct job *job, struct bucket_slot *slot)
{
    int error = 0;
    if (!stays_open(slot, job->route.close))
        error = file_cache_close(&worker->cache, slot);
    else if (slot->unsynced)
        sync_schedule_expedite(&worker->schedule, slot);
    if (slot->unsynced || slot->syncing) {
        slot->closing = true;
        slot->prefix->syncs_left++;
    } else {
        set_job_close_error(job, slot, error, false);
    }
}

/* The router asks for this only when no append of the prefix is in flight. */
static void close_slots(struct worker *worker, struct job *job)
{
    struct open_prefix *prefix = job->route.prefix;
    job->error = 0;
    prefix->syncs_left = 0;
    if (job->route.close == JOB_CLOSE_UNREAD) { /* slots know of those that the loop has */
        mark_reads(&worker->long_reads, prefix);
        mark_reads(&worker->waiting, prefix);
    }
    for (unsigned i = 0; i < prefix->manifest.buckets; i++)
        if (open_prefix_owner(prefix, i, worker->options.workers) == worker->options.index)
            close_slot(worker, job, &prefix->slots[i]);
    if (prefix->syncs_left == 0)
        complete_job(worker, job, job->error);
}

/* A sync has ended that a close has waited for. */
static void go_on_closing_files(struct worker *worker, struct bucket_slot *slot, int error)
{
    struct open_prefix *prefix = slot->prefix;
    struct job *job = &prefix->control;
    slot->closing = false;
    prefix->syncs_left--;
    set_job_close_error(job, slot, error, true);
    close_slot(worker, job, slot);
    if (prefix->syncs_left == 0)
        complete_job(worker, job, job->error);
}

/* NULL: it is not done yet. */
static void end_resolve(struct worker *worker, struct job *job)
{
    if (job == NULL)
        return;
    if (job->error == FILE_CACHE_WAIT)
        job_list_add(&worker->waiting, job);
    else
        complete_job(worker, job, job->error);
}

/* `quota` is that of the getMultis in this drain. */
static void handle_job(struct worker *worker, struct job *job, struct reader_quota *quota)
{
    single_client_popped(&worker->single_client, job->route.single_client);
    if (job == &worker->stop) {
        worker->stopping = true;
        return;
    }
    if (job == &worker->trim) {
        atomic_store(&worker->trim_pushed, false);
        heap_trim();
        return;
    }
    switch (job->kind) {
    case JOB_CHECK_VALUES:
        complete_job(worker, job, job_values_check(job));
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
        if (job->more || (job->kind == JOB_READ_MULTI && reader_quota_is_used(quota)))
            job_list_add(&worker->long_reads, job);
        else
            read_job(worker, job, quota);
        break;
    case JOB_SCAN:
    case JOB_ENDS:
    case JOB_LIST:
        job_list_add(&worker->long_reads, job);
        break;
    case JOB_CLOSE:
        close_slots(worker, job);
        break;
    case JOB_RESOLVE:
        end_resolve(worker, resolver_begin(&worker->resolver, job) ? job : NULL);
        break;
    }
}

/* What has waited for a descriptor may have it now. */
static void try_waiting(struct worker *worker, struct reader_quota *quota)
{
    struct job_list waiting = worker->waiting;
    worker->waiting = (struct job_list){0};
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
    if (atomic_exchange(&worker->synced_pushed, true))
        return;
    push_or_abort(worker->out, &worker->synced);
    worker->completed = true;
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
        complete_appends(worker, append_batches_end_sync(&worker->batches, sync, &error));
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
    return ring_count(worker->in) > 0 || bucket_syncs_done(&worker->syncs);
}

/* Or until `due_ns`, if that is not 0. A wake-up that comes at that very moment is for the next
 * wait, which then ends for nothing. */
static void wait_for_wake(struct worker *worker, uint64_t due_ns)
{
    const struct timespec due = {.tv_sec = (time_t)(due_ns / CLOCK_NS_PER_SECOND),
                                 .tv_nsec = (long)(due_ns % CLOCK_NS_PER_SECOND)};
    while ((due_ns == 0 ? sem_wait(&worker->wake)
                        : sem_clockwait(&worker->wake, CLOCK_MONOTONIC, &due)) != 0 &&
           errno == EINTR)
        ;
}

/* Sync threads, see bucket_syncs.h; and the loop. */
static void wake(void *argument)
{
    struct worker *worker = argument;
    if (sleeper_claim(&worker->sleeper))
        (void)sem_post(&worker->wake);
}

static void sleep_until_woken(struct worker *worker, uint64_t due_ns)
{
    sleeper_announce(&worker->sleeper);
    if (is_ready(worker)) {
        sleeper_stay(&worker->sleeper);
        return;
    }
    wait_for_wake(worker, due_ns);
    sleeper_stay(&worker->sleeper);
}

/* One drain: what is there now; what comes meanwhile is for the next. */
static void drain(struct worker *worker)
{
    struct reader_quota quota = READER_QUOTA;
    end_syncs(worker, &quota);
    for (size_t jobs = ring_count(worker->in); jobs > 0; jobs--)
        handle_job(worker, ring_pop(worker->in), &quota);
    write_appends(worker);
    append_batches_start_due(&worker->batches);
    signal_loop(worker);
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
        sleep_until_woken(worker, until_ns);
    }
}

static void *run_worker(void *argument)
{
    struct worker *worker = argument;
    while (true) {
        drain(worker);
        bool has_work = worker->long_reads.first != NULL || resolver_has_work(&worker->resolver);
        if (worker->long_reads.first != NULL)
            read_queued(worker);
        if (resolver_has_work(&worker->resolver))
            end_resolve(worker, resolver_step(&worker->resolver));
        if (!has_work && worker->stopping)
            break;
        if (!has_work && !single_client_spin(&worker->single_client, is_ready, worker))
            sleep_until_woken(worker, sync_schedule_due_ns(&worker->schedule));
    }
    make_last_syncs(worker);
    if (worker->syncs.under_way + worker->schedule.count > 0)
        return NULL; /* see worker_join */
    int error = file_cache_close_all(&worker->cache);
    if (worker->last_error == 0)
        worker->last_error = error;
    return NULL;
}

/* Signals are for the main thread. */
static int start_thread(struct worker *worker)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    int error = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (error != 0)
        return -error;
    error = pthread_create(&worker->thread, NULL, run_worker, worker);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

void worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    (void)sem_destroy(&worker->wake);
    ring_free(worker->in);
    ring_free(worker->out);
    append_batches_free(&worker->batches);
    bucket_syncs_free(&worker->syncs);
    free(worker);
}

static void init_parts(struct worker *worker)
{
    const struct worker_options *options = &worker->options;
    worker->syncs = (struct bucket_syncs){
        .pool = options->sync_pool, .names = options->names, .wake = wake, .argument = worker};
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
    single_client_init_worker(&worker->single_client);
    sleeper_init(&worker->sleeper);
}

int worker_start(const struct worker_options *options, struct worker **out)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return -ENOMEM;
    worker->options = *options;
    init_parts(worker);
    int error = sem_init(&worker->wake, 0, 0) != 0 ? -errno : 0;
    if (error != 0) {
        free(worker);
        return error;
    }
    worker->in = ring_new(options->ring_capacity + 2); /* and two messages */
    worker->out = ring_new(options->ring_capacity + 1);
    error = worker->in == NULL || worker->out == NULL ? -ENOMEM : 0;
    if (error == 0)
        error = bucket_syncs_reserve(&worker->syncs, options->syncs_at_once);
    if (error == 0)
        error = start_thread(worker);
    if (error != 0) {
        worker_free(worker);
        return error;
    }
    *out = worker;
    return 0;
}

void worker_push(struct worker *worker, struct job *job)
{
    push_or_abort(worker->in, job);
    worker->pushed = true;
}

void worker_trim(struct worker *worker)
{
    if (!atomic_exchange(&worker->trim_pushed, true))
        worker_push(worker, &worker->trim);
}

void worker_wake(struct worker *worker)
{
    if (!worker->pushed)
        return;
    worker->pushed = false;
    wake(worker);
}

const struct worker_counts *worker_counts(const struct worker *worker)
{
    return &worker->batches.counts;
}

size_t worker_completed(const struct worker *worker)
{
    return ring_count(worker->out);
}

struct job *worker_pop(struct worker *worker)
{
    return ring_pop(worker->out);
}

bool worker_tells_of_syncs(struct worker *worker, const struct job *job)
{
    if (job != &worker->synced)
        return false;
    atomic_store(&worker->synced_pushed, false); /* before the bits are looked at */
    return true;
}

int worker_join(struct worker *worker, unsigned *hung)
{
    worker_push(worker, &worker->stop);
    worker_wake(worker);
    (void)pthread_join(worker->thread, NULL);
    *hung = worker->syncs.under_way + worker->schedule.count;
    return *hung > 0 ? -ETIMEDOUT : worker->last_error;
}
