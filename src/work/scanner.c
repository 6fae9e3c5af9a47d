#include "work/scanner.h"

#include <errno.h>
#include <event2/buffer.h>
#include <string.h>

#include "store/error.h"
#include "store/step_over.h"
#include "store/walk.h"

/* So many reads of headers in one step: a MiB if the records are short. */
#define STEP_READS 16

enum step {
    STEP_JUDGE,      /* is there a record, and the one before it? */
    STEP_CHECK_LAST, /* damage is between the one before it and `offset` */
    STEP_MEASURE,    /* how far does the reply go? */
    STEP_SKIP,       /* damage is at the end of the reply, or at `offset` */
    STEP_READ
};

/* How far a scan may go on. */
static int find_ends(const struct job *job, struct bucket *bucket, int64_t *end, int64_t *tail)
{
    int error = bucket_find_end(bucket, end);
    *tail = *end;
    if (error == 0 && job->scan.synced && bucket_synced_end(bucket) < *end)
        *tail = bucket_synced_end(bucket);
    return error;
}

/* The beginning of a record, and somebody else writes the rest. */
static bool is_growing(const struct bucket *bucket, const struct walk_part *part)
{
    return bucket_grows(bucket) && (part->kind == WALK_CUT_SHORT || part->kind == WALK_TOO_SHORT);
}

/* What is known of `offset` when nothing is wrong with it. */
static int judge_offset(struct job *job, const struct bucket *bucket, struct walk *walk)
{
    struct job_scan *scan = &job->scan;
    struct walk_part part;
    scan->next = job->offset;
    scan->at_end = job->offset >= scan->tail;
    if (scan->at_end)
        return 0;
    int error = walk_look(walk, job->offset, &part);
    if (error != 0)
        return error;
    scan->at_end = is_growing(bucket, &part);
    if (scan->at_end)
        return 0;
    scan->step = part.kind == WALK_RECORD ? STEP_MEASURE : STEP_SKIP;
    scan->at = job->offset;
    scan->searching = false;
    /* damage is stepped over only where a record must have begun */
    bool begins = scan->has_last || job->offset == 0;
    return scan->step == STEP_MEASURE || part.kind == WALK_GAP || begins ? 0 : STORE_NOT_FOUND;
}

/* Whether the record before is as the client knows it, and ends at `offset` or where damage begins
 * that ends there. */
static int judge_last(struct job *job, struct bucket *bucket)
{
    struct job_scan *scan = &job->scan;
    uint8_t header[RECORD_HEADER_BYTES];
    struct record_header fields;
    if (scan->last_offset > job->offset - RECORD_HEADER_BYTES)
        return STORE_OTHER_RECORD;
    uint64_t left = (uint64_t)(job->offset - scan->last_offset - RECORD_HEADER_BYTES);
    int error = bucket_read_raw(bucket, scan->last_offset, header, sizeof(header), false);
    if (error != 0)
        return error;
    if (memcmp(header, scan->last_header, sizeof(header)) != 0 ||
        record_header_decode(header, left, &fields) != 0 || fields.value_bytes > left)
        return STORE_OTHER_RECORD;
    scan->at = job->offset - (int64_t)left + (int64_t)fields.value_bytes;
    scan->searching = false;
    scan->step = STEP_CHECK_LAST;
    return 0;
}

/* Damage from `scan->at` on; up to `end`, which is what the walk goes up to. */
static int skip_damage(struct job_scan *scan, struct walk *walk, bool *done)
{
    struct step_over over = {scan->at, scan->searching};
    int error = step_over_continue(&over, walk, walk->reads + STEP_READS, done);
    scan->at = over.offset;
    scan->searching = over.searching;
    return error;
}

static int check_last(struct job *job, struct bucket *bucket, struct walk *walk)
{
    struct job_scan *scan = &job->scan;
    bool done = true;
    int64_t end, tail;
    int error = find_ends(job, bucket, &end, &tail);
    if (error != 0)
        return error;
    bucket_walk(bucket, end, walk); /* not up to `offset`: a record may go past it */
    if (scan->at < job->offset)
        error = skip_damage(scan, walk, &done);
    if (error != 0 || (!done && scan->at <= job->offset))
        return error;
    if (scan->at != job->offset)
        return STORE_OTHER_RECORD;
    bucket_walk(bucket, scan->tail, walk);
    return judge_offset(job, bucket, walk);
}

static int judge(struct job *job, struct bucket *bucket, struct walk *walk)
{
    struct job_scan *scan = &job->scan;
    int64_t end;
    int error = find_ends(job, bucket, &end, &scan->tail);
    if (error != 0)
        return error;
    scan->bytes = 0;
    scan->at_end = false;
    scan->file_id = bucket_file_id(bucket);
    if (job->offset > end)
        return STORE_PAST_END;
    if (scan->has_last)
        return judge_last(job, bucket);
    bucket_walk(bucket, scan->tail, walk);
    return judge_offset(job, bucket, walk);
}

/* Records are added until there are enough, or none is next. */
static int measure(struct job *job, const struct bucket *bucket, struct walk *walk)
{
    struct job_scan *scan = &job->scan;
    while (walk->reads < STEP_READS) {
        struct walk_part part = {.kind = WALK_END};
        scan->bytes = (uint64_t)(scan->at - job->offset);
        int error = walk_look(walk, scan->at, &part);
        if (error != 0)
            return error;
        if (part.kind != WALK_RECORD || scan->bytes >= scan->limit_bytes) {
            bool follows =
                part.kind == WALK_RECORD || part.kind == WALK_END || is_growing(bucket, &part);
            scan->step = follows ? STEP_READ : STEP_SKIP;
            scan->next = scan->at;
            break;
        }
        scan->at += part.bytes;
    }
    return 0;
}

static int skip(struct job_scan *scan, struct walk *walk)
{
    bool done;
    int error = skip_damage(scan, walk, &done);
    scan->next = scan->at;
    if (done)
        scan->step = STEP_READ;
    return error;
}

/* One step before the reply is read. */
static int find_reply(struct job *job, struct bucket *bucket)
{
    struct job_scan *scan = &job->scan;
    struct walk walk; /* not cleared: it is large */
    int error = 0;
    if (scan->step == STEP_JUDGE)
        error = judge(job, bucket, &walk);
    else
        bucket_walk(bucket, scan->tail, &walk);
    if (error == 0 && scan->step == STEP_CHECK_LAST)
        error = check_last(job, bucket, &walk);
    if (error == 0 && scan->step == STEP_MEASURE && !scan->at_end)
        error = measure(job, bucket, &walk);
    else if (error == 0 && scan->step == STEP_SKIP && !scan->at_end)
        error = skip(scan, &walk);
    return error;
}

/* The next piece. `at` is where it begins. */
static int read_piece(struct job *job, struct bucket *bucket)
{
    struct job_scan *scan = &job->scan;
    if (!job->more)
        scan->at = job->offset; /* the first */
    struct evbuffer_iovec room;
    uint64_t left = (uint64_t)(job->offset - scan->at) + scan->bytes;
    size_t bytes = left <= JOB_PIECE_BYTES_MAX ? (size_t)left : JOB_PIECE_BYTES;
    if (job->piece == NULL)
        job->piece = evbuffer_new();
    if (job->piece == NULL || evbuffer_reserve_space(job->piece, (ev_ssize_t)bytes, &room, 1) != 1)
        return -ENOMEM;
    int error = bucket_read_raw(bucket, scan->at, room.iov_base, bytes, false);
    if (error != 0)
        return error;
    room.iov_len = bytes;
    if (evbuffer_commit_space(job->piece, &room, 1) != 0)
        return -ENOMEM;
    scan->at += (int64_t)bytes;
    job->more = bytes < left;
    if (job->more) /* the next piece is read when this one is sent */
        bucket_prefetch(bucket, scan->at, JOB_PIECE_BYTES);
    return 0;
}

void scanner_without_file(struct job *job)
{
    struct job_scan *scan = &job->scan;
    scan->at_end = true;
    scan->bytes = 0;
    scan->next = scan->tail = 0;
    job->error = job->offset == 0 ? 0 : STORE_PAST_END;
}

enum reader_result scanner_step(struct job *job, struct bucket *bucket)
{
    struct job_scan *scan = &job->scan;
    if (scan->step != STEP_JUDGE && scan->file_id != bucket_file_id(bucket))
        job->error = STORE_CHANGED;
    else
        job->error = scan->step != STEP_READ ? find_reply(job, bucket) : 0;
    if (job->error == 0 && scan->step != STEP_READ && !scan->at_end)
        return READER_YIELD;
    if (job->error == 0 && !scan->at_end && scan->bytes > 0 && !job->header_only)
        job->error = read_piece(job, bucket);
    job->more = job->more && job->error == 0;
    if (scan->at_end)
        scan->step = STEP_JUDGE; /* it may be submitted again */
    return READER_DONE;
}
