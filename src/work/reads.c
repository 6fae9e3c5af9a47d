#include "work/reads.h"

#include <event2/buffer.h>

#include "store/bucket.h"
#include "store/error.h"
#include "store/prefix_list.h"
#include "work/ends.h"
#include "work/open_prefix.h"
#include "work/scanner.h"
#include "work/worker_counts.h"

void reads_queue(struct reads *reads, struct job *job)
{
    job_list_add(&reads->queue, job);
}

void reads_wait(struct reads *reads, struct job *job)
{
    job_list_add(&reads->waiting, job);
}

bool reads_has_work(const struct reads *reads)
{
    return reads->queue.first != NULL;
}

static void complete_read(struct reads *reads, struct job *job)
{
    size_t bytes = job->piece != NULL ? evbuffer_get_length(job->piece) : job->small_bytes;
    worker_count_add(&reads->batches->counts.read_bytes, bytes - job->kept_bytes);
    mailbox_complete(reads->mailbox, job, job->error);
}

/* A scan of what is synced, of a file of which that is not known: it is synced, once. 0: that is
 * waited for. */
static int sync_for_scan(struct reads *reads, struct job *job, struct bucket_slot *slot)
{
    if (slot->sync_refused)
        return STORE_SYNC_REFUSED;
    if (job->scan.sync_tried && !slot->syncing)
        return STORE_NOT_SYNCED;
    job->scan.sync_tried = !slot->syncing;
    int error = append_batches_start_sync(reads->batches, slot);
    if (error == 0)
        reads_wait(reads, job);
    return error;
}

/* A reply that has begun goes on in the file that it has begun in. */
static int open_to_read(struct reads *reads, struct job *job)
{
    struct job_route *route = &job->route;
    int error = route->begun ? file_cache_open(reads->cache, route->prefix, job->bucket, false)
                             : file_cache_open_current(reads->cache, route->prefix, job->bucket);
    route->begun = error == 0;
    return error;
}

static void scan_job(struct reads *reads, struct job *job)
{
    struct open_prefix *prefix = job->route.prefix;
    struct bucket_slot *slot = &prefix->slots[job->bucket];
    int error = open_to_read(reads, job);
    if (error == FILE_CACHE_WAIT) {
        reads_wait(reads, job);
        return;
    }
    if (error == STORE_NO_FILE && root_read_only(reads->root)) {
        scanner_without_file(job);
        complete_read(reads, job);
        return;
    }
    if (error == STORE_NO_FILE)
        error = file_cache_explain_missing(reads->cache, prefix);
    if (error == 0 && job->scan.synced && bucket_synced_end(slot->bucket) < 0) {
        error = sync_for_scan(reads, job, slot);
        if (error == 0)
            return;
    }
    if (error != 0) {
        job->more = false;
        mailbox_complete(reads->mailbox, job, error);
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
        complete_read(reads, job);
    else
        reads_queue(reads, job);
}

static void find_ends(struct reads *reads, struct job *job)
{
    bool begins = job->ends.ends == NULL;
    int error = begins ? file_cache_check_prefix(reads->cache, job->route.prefix) : 0;
    if (error != 0)
        mailbox_complete(reads->mailbox, job, error);
    else if (!ends_step(reads->cache, job, reads->index, reads->workers))
        reads_queue(reads, job);
    else if (job->error == FILE_CACHE_WAIT)
        reads_wait(reads, job);
    else
        mailbox_complete(reads->mailbox, job, job->error);
}

/* Some hundred microseconds, if the root is in memory. */
#define ENTRIES_IN_A_STEP 256

static void list_prefixes(struct reads *reads, struct job *job)
{
    bool done;
    do
        job->error = prefix_list_step(job->prefixes, reads->root, ENTRIES_IN_A_STEP, &done);
    while (file_cache_free_descriptor(reads->cache, job->error));
    job->error = file_cache_wait_or(reads->cache, job->error);
    if (!done)
        reads_queue(reads, job);
    else if (job->error == FILE_CACHE_WAIT)
        reads_wait(reads, job);
    else
        mailbox_complete(reads->mailbox, job, job->error);
}

static void read_job(struct reads *reads, struct job *job, struct reader_quota *quota)
{
    struct bucket_slot *slot = &job->route.prefix->slots[job->bucket];
    int error = open_to_read(reads, job);
    if (error == FILE_CACHE_WAIT) {
        reads_wait(reads, job);
        return;
    }
    if (error == FILE_CACHE_DELETED) { /* nothing of it is read yet */
        mailbox_complete(reads->mailbox, job, error);
        return;
    }
    if (error == STORE_NO_FILE)
        error = STORE_NOT_FOUND; /* it was never made, or it is gone with its records */
    if (error != 0) {
        reader_fail(job, error);
        mailbox_complete(reads->mailbox, job, error);
        return;
    }
    enum reader_result result =
        reader_read(job, slot->bucket, &slot->usual_bytes, job->route.may_wait, quota);
    job->route.may_wait = result == READER_BLOCKED;
    if (job->more)
        slot->in_pieces = true;
    if (result == READER_DONE)
        complete_read(reads, job);
    else
        reads_queue(reads, job);
}

void reads_begin(struct reads *reads, struct job *job, struct reader_quota *quota)
{
    if (job->more || (job->kind == JOB_READ_MULTI && reader_quota_is_used(quota)))
        reads_queue(reads, job);
    else
        read_job(reads, job, quota);
}

void reads_step(struct reads *reads)
{
    struct reader_quota quota = READER_QUOTA;
    struct job *job = job_list_pop(&reads->queue);
    if (job->kind == JOB_SCAN)
        scan_job(reads, job);
    else if (job->kind == JOB_ENDS)
        find_ends(reads, job);
    else if (job->kind == JOB_LIST)
        list_prefixes(reads, job);
    else
        read_job(reads, job, &quota);
}
