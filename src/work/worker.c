#include "work/worker.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/bucket.h"
#include "store/error.h"
#include "work/append_batches.h"
#include "work/file_cache.h"
#include "work/job_list.h"
#include "work/open_prefix.h"
#include "work/reader.h"
#include "work/resolver.h"
#include "work/ring.h"
#include "work/single_client.h"

struct worker {
    struct worker_options options;
    pthread_t thread;
    struct ring *in, *out;
    struct sleeper sleeper;
    sem_t wake;

    /* loop thread */
    bool pushed; /* something since the last wake */

    /* worker thread */
    struct job stop; /* pushed last */
    bool stopping;
    bool completed; /* something since the last signal to the loop */
    struct single_client single_client;
    struct file_cache cache;
    struct sync_schedule schedule;
    struct append_batches batches;
    struct resolver resolver;
    struct job_list long_reads; /* in pieces, or waiting for the disk */
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

static int open_slot(struct worker *worker, const struct job *job, bool writable)
{
    return file_cache_open(&worker->cache, job->route.prefix, job->bucket, writable);
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
    complete_appends(worker, append_batches_write(&worker->batches));
    while (worker->batches.synced != NULL) {
        signal_loop(worker); /* what is completed does not wait for the sync of others */
        complete_appends(worker, append_batches_write_synced(&worker->batches));
    }
}

static void read_job(struct worker *worker, struct job *job, struct reader_quota *quota)
{
    struct bucket_slot *slot = &job->route.prefix->slots[job->bucket];
    int error = open_slot(worker, job, false);
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
        complete_job(worker, job, job->error);
    else
        job_list_add(&worker->long_reads, job);
}

static void read_queued(struct worker *worker)
{
    struct reader_quota quota = READER_QUOTA;
    read_job(worker, job_list_pop(&worker->long_reads), &quota);
}

/* Of the replies that go on, those that this worker has in hand; slots know of the others. */
static void mark_queued_reads(struct worker *worker, const struct open_prefix *prefix)
{
    for (const struct job *job = worker->long_reads.first; job != NULL; job = job->route.next)
        if (job->route.prefix == prefix)
            prefix->slots[job->bucket].in_pieces = true;
}

/* Makes the sync that a file still needs. */
static bool stays_open(struct worker *worker, struct bucket_slot *slot, enum job_close close)
{
    file_cache_finish(&worker->cache, slot);
    return (close == JOB_CLOSE_UNREAD && slot->in_pieces) ||
           (close == JOB_CLOSE_HEALTHY && slot->sync_refused);
}

/* The router asks for this only when no append of the prefix is in flight. */
static void close_slots(struct worker *worker, struct job *job)
{
    struct open_prefix *prefix = job->route.prefix;
    if (job->route.close == JOB_CLOSE_UNREAD)
        mark_queued_reads(worker, prefix);
    for (unsigned i = 0; i < prefix->manifest.buckets; i++) {
        if (open_prefix_owner(prefix, i, worker->options.workers) != worker->options.index)
            continue;
        if (!stays_open(worker, &prefix->slots[i], job->route.close))
            file_cache_close(&worker->cache, &prefix->slots[i]);
    }
    complete_job(worker, job, 0);
}

static void make_files(struct worker *worker)
{
    struct job *job = resolver_step(&worker->resolver);
    if (job != NULL)
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
    switch (job->kind) {
    case JOB_APPEND:
        append_batches_add(&worker->batches, job);
        break;
    case JOB_READ:
    case JOB_READ_MULTI:
        if (job->more || (job->kind == JOB_READ_MULTI && reader_quota_is_used(quota)))
            job_list_add(&worker->long_reads, job);
        else
            read_job(worker, job, quota);
        break;
    case JOB_CLOSE:
        close_slots(worker, job);
        break;
    case JOB_RESOLVE:
        if (resolver_begin(&worker->resolver, job))
            complete_job(worker, job, job->error);
        break;
    }
}

static bool has_jobs(const void *ring)
{
    return ring_count(ring) > 0;
}

/* Or until a bucket is to be synced. A wake-up that comes at that very moment is for the next wait,
 * which then ends for nothing. */
static void wait_for_wake(struct worker *worker)
{
    uint64_t due_ns = sync_schedule_due_ns(&worker->schedule);
    const struct timespec due = {.tv_sec = (time_t)(due_ns / CLOCK_NS_PER_SECOND),
                                 .tv_nsec = (long)(due_ns % CLOCK_NS_PER_SECOND)};
    while ((due_ns == 0 ? sem_wait(&worker->wake)
                        : sem_clockwait(&worker->wake, CLOCK_MONOTONIC, &due)) != 0 &&
           errno == EINTR)
        ;
}

static void sleep_until_pushed(struct worker *worker)
{
    if (single_client_spin(&worker->single_client, has_jobs, worker->in))
        return;
    sleeper_announce(&worker->sleeper);
    if (ring_count(worker->in) > 0) {
        sleeper_stay(&worker->sleeper);
        return;
    }
    wait_for_wake(worker);
    sleeper_stay(&worker->sleeper);
}

static void *run_worker(void *argument)
{
    struct worker *worker = argument;
    while (true) {
        /* one drain: what is there now; what comes meanwhile is for the next */
        struct reader_quota quota = READER_QUOTA;
        for (size_t jobs = ring_count(worker->in); jobs > 0; jobs--)
            handle_job(worker, ring_pop(worker->in), &quota);
        write_appends(worker);
        signal_loop(worker);
        sync_schedule_run_due(&worker->schedule);
        bool has_work = worker->long_reads.first != NULL || resolver_has_work(&worker->resolver);
        if (worker->long_reads.first != NULL)
            read_queued(worker);
        if (resolver_has_work(&worker->resolver))
            make_files(worker);
        if (!has_work && worker->stopping)
            break;
        if (!has_work)
            sleep_until_pushed(worker);
    }
    sync_schedule_run_all(&worker->schedule);
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

static void free_worker(struct worker *worker)
{
    (void)sem_destroy(&worker->wake);
    ring_free(worker->in);
    ring_free(worker->out);
    append_batches_free(&worker->batches);
    free(worker);
}

int worker_start(const struct worker_options *options, struct worker **out)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return -ENOMEM;
    worker->options = *options;
    sync_schedule_init(&worker->schedule, options->root, options->sync_after_ms, options->notice);
    file_cache_init(&worker->cache, options->root, &worker->schedule, options->max_files,
                    options->notice);
    worker->batches.cache = &worker->cache;
    worker->batches.schedule = &worker->schedule;
    worker->resolver = (struct resolver){
        .root = options->root, .cache = &worker->cache, .buckets_if_new = options->buckets_if_new};
    single_client_init_worker(&worker->single_client);
    sleeper_init(&worker->sleeper);
    int error = sem_init(&worker->wake, 0, 0) != 0 ? -errno : 0;
    if (error != 0) {
        free(worker);
        return error;
    }
    worker->in = ring_new(options->ring_capacity + 1); /* and the stop message */
    worker->out = ring_new(options->ring_capacity);
    error = worker->in == NULL || worker->out == NULL ? -ENOMEM : start_thread(worker);
    if (error != 0) {
        free_worker(worker);
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

void worker_wake(struct worker *worker)
{
    if (!worker->pushed)
        return;
    worker->pushed = false;
    if (sleeper_claim(&worker->sleeper))
        (void)sem_post(&worker->wake);
}

size_t worker_completed(const struct worker *worker)
{
    return ring_count(worker->out);
}

struct job *worker_pop(struct worker *worker)
{
    return ring_pop(worker->out);
}

void worker_stop(struct worker *worker)
{
    if (worker == NULL)
        return;
    worker_push(worker, &worker->stop);
    worker_wake(worker);
    (void)pthread_join(worker->thread, NULL);
    free_worker(worker);
}
