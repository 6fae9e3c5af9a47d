/*
 * job: one request on its way from the loop to a worker and back.
 *
 * The loop thread allocates it (as part of something larger), fills the
 * request and submits it; from then on the job and all it points at belong to
 * the worker, until `done` is called on the loop thread. There is no lock
 * because there is never more than one owner.
 *
 * Reads may come back more than once: with `more` set the job holds one piece
 * of the reply, and is either resumed for the next piece or abandoned.
 */
#ifndef ROCHEFORT_WORK_JOB_H
#define ROCHEFORT_WORK_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "store/id_hash.h"
#include "store/record.h"
#include "store/slots.h"
#include "store/value_list.h"

struct evbuffer;
struct job;
struct open_prefix;
struct prefix_list;
struct router;

/* A value up to this long is in the job itself: no allocation, one pread with its header, unless
 * longer ones are usual in its file. */
#define JOB_SMALL_BYTES 1008
/* A reply is handed over in pieces of this length. A value that ends a little behind the end of a
 * piece is read to its end, so that values of 256 KiB or 1 MiB do not take one more piece for the
 * last few bytes. With libevent's chain header both are a power of two. */
#define JOB_PIECE_BYTES (256 * 1024 - 64)
#define JOB_PIECE_BYTES_OVER (4 * 1024 - 64)
/* At most this much of a reply is in memory at a time. */
#define JOB_PIECE_BYTES_MAX (JOB_PIECE_BYTES + JOB_PIECE_BYTES_OVER)
/* One offset in the body of a getMulti, and in the reply of an appendMulti. */
#define JOB_OFFSET_BYTES 8
/* Of each of these at most so many. */
#define JOB_OFFSETS_MAX (1024 * 1024)

/* An error beside those of store/error.h: refused, too many requests are in flight. */
enum { JOB_TOO_MANY_IN_FLIGHT = -6000 };

enum job_kind {
    JOB_APPEND,       /* append `value` */
    JOB_CHECK_VALUES, /* look at the list of values in `value`; see router_check_values */
    JOB_CHECK_ROOM,   /* look whether there is room on the disk; see router_check_room */
    JOB_APPEND_MULTI, /* append the list of values in `value`, all or none */
    JOB_READ,         /* read the value at `offset` */
    JOB_READ_MULTI,   /* read the values at `offsets` */
    JOB_SCAN,         /* read whole records from `offset` on, see struct job_scan */
    JOB_ENDS,         /* find the end of each bucket, see struct job_ends */
    JOB_LIST,         /* list prefixes, see router_list */
    JOB_CLOSE,        /* close all files of the prefix; also internal, see open_prefix.h */
    JOB_RESOLVE       /* internal: find or create the prefix's directory */
};

/* What is known of the list of a JOB_CHECK_VALUES or JOB_APPEND_MULTI. */
struct job_values {
    struct value_list_limits limits; /* request */
    struct value_list_content found; /* result of the first, request of the second */
};

/* What is known of a JOB_SCAN. */
struct job_scan {
    /* request */
    bool by_bucket; /* of `bucket`, not of the one that the id has */
    unsigned bucket;
    uint64_t limit_bytes; /* no record is added when there are so many; at least 1 */
    bool synced;          /* only what is known to be on the disk */
    bool has_last;        /* there must be a record with this header, and it must end at `offset` */
    int64_t last_offset;
    uint8_t last_header[RECORD_HEADER_BYTES];

    /* result */
    bool at_end;    /* nothing is there yet, and nothing is wrong */
    uint64_t bytes; /* of the reply; 0: what is at `offset` is damaged, go on at `next` */
    int64_t next;   /* where the next scan has to begin */
    int64_t tail;   /* where the bucket ends, also with STORE_PAST_END, STORE_OTHER_RECORD and
                     * STORE_NOT_FOUND */

    /* how far it has come; only scanner.c touches it */
    int step;
    int64_t at;
    bool searching;
    uint64_t file_id;
    bool sync_tried; /* and reads.c this */

    /* of one that waits at the end, see router_wait; scan_waits.c's but for `follows` and `woken`
     */
    bool follows; /* request: it will wait there, if it is `synced` for a sync */
    bool is_waiting;
    bool closed; /* why it is woken: its prefix was closed */
    void (*woken)(struct job *job);
    LIST_ENTRY(job) waiting, waiting_synced;

    /* of one that was woken and is refused, see router_wait_turn */
    bool no_slot; /* result: because its worker has too many in flight */
    bool in_turn; /* scan_turns.c's */
    TAILQ_ENTRY(job) turn;
};

/* Of a JOB_ENDS. */
struct job_ends {
    int64_t *ends; /* result: one for each bucket; free it, also if there is an error */
    unsigned next; /* bucket; how far it has come */
};

/* How far a read has come; only reader.c touches it. */
struct job_progress {
    uint64_t file_id;    /* of the file in which the value at hand begins, see bucket_file_id */
    uint32_t value_done; /* up to this byte the value at hand is in pieces */
    bool range_begun;    /* JOB_READ of a part: it was found */
    bool value_open;     /* JOB_READ_MULTI: in the middle of a value */
};

/* Which files a worker closes. */
enum job_close {
    JOB_CLOSE_ALL,
    JOB_CLOSE_UNREAD, /* but those that replies are read from */
    JOB_CLOSE_HEALTHY /* but those whose last sync has failed, because this was not asked for */
};

/* Where the job goes and what follows; only router, pool and worker touch it. */
struct job_route {
    struct open_prefix *prefix;         /* NULL: not open */
    void (*completed)(struct job *job); /* loop thread, when it comes out of the ring */
    struct job *next;                   /* in whatever list it is */
    unsigned worker;
    bool may_wait;         /* a read: for the disk */
    bool single_client;    /* see single_client.h */
    bool create;           /* JOB_RESOLVE: make the prefix if it is missing */
    bool to_sync;          /* appends: as was asked for */
    bool again;            /* its prefix was deleted, and is made or opened anew for it */
    bool begun;            /* reads: in the file as it was then */
    enum job_close close;  /* JOB_CLOSE of the router's own */
    struct router *router; /* JOB_CHECK_VALUES, JOB_CHECK_ROOM, JOB_LIST: whose it is */
};

/* A zeroed struct job, but for `small`, is a good one to start from. */
struct job {
    enum job_kind kind;
    void (*done)(struct job *job); /* loop thread */

    /* request */
    struct id_hash id_hash;   /* picks the bucket */
    struct evbuffer *value;   /* JOB_APPEND: 1 .. RECORD_VALUE_BYTES_MAX bytes; or a list of values;
                               * only read */
    struct evbuffer *offsets; /* JOB_READ_MULTI: little-endian u64 each; drained as they are read */
    bool errors_each;  /* JOB_READ_MULTI: an offset that cannot be read is not the last one */
    size_t kept_bytes; /* when resumed: so many bytes of the piece were left in it */
    bool header_only;  /* JOB_READ: only the length and the time are wanted; JOB_SCAN: only
                        * the result in `scan` */
    uint32_t range_first,
        range_bytes; /* JOB_READ: this part of the value, if `range_bytes` is not
                      * 0; `value_bytes` and `time_ns` say which value it must be */
    bool sync;       /* appends: done when it is on the disk; result: the error is of the sync */
    bool expects;    /* appends: only if the bucket ends at `expected` then */
    int64_t expected;
    int64_t offset; /* JOB_READ, JOB_SCAN: where; JOB_APPEND: result; JOB_READ_MULTI: the one at
                     * hand; with STORE_OTHER_END: the end that was found */
    struct job_values values;
    struct job_ends ends;         /* JOB_ENDS */
    struct prefix_list *prefixes; /* JOB_LIST: made for it; the result is in it */

    /* result */
    int error;       /* 0, -errno, one of store/error.h or JOB_TOO_MANY_IN_FLIGHT */
    bool more;       /* the reply goes on: resume or abandon */
    bool has_bucket; /* false: the prefix could not be opened, or the job was refused */
    unsigned bucket; /* of the id; without `has_bucket` what the error is about, see prefix.h */
    uint32_t value_bytes;   /* JOB_READ: length of the whole value */
    uint64_t time_ns;       /* JOB_READ: when it was appended, since 1970 */
    uint32_t small_bytes;   /* JOB_READ: bytes in `small`, if `piece` is NULL */
    uint64_t partial_bytes; /* JOB_READ_MULTI with an error: so many bytes at the end of the reply,
                             * of this piece and earlier ones, belong to the value that failed */
    struct evbuffer *piece; /* reads: made and filled by the worker, sent and freed by the loop;
                             * JOB_APPEND_MULTI: so are the offsets, little-endian u64 each */

    struct job_progress progress;
    struct job_route route;

    union {
        /* or, of a JOB_CHECK_ROOM, a struct root_room of `small_bytes`; or, if the error is
         * STORE_SAME_DIRECTORY and has no bucket, the name of the other prefix, NUL-terminated;
         * empty if it is closed by now; or, if the error is STORE_OTHER_SLOT, a struct slots: those
         * that are held */
        uint8_t small[JOB_SMALL_BYTES];
        struct job_scan scan; /* JOB_SCAN; not zeroed */
    };
};

/* Whether it is about an id, which is in a slot. */
static inline bool job_has_id(const struct job *job)
{
    switch (job->kind) {
    case JOB_APPEND:
    case JOB_APPEND_MULTI:
    case JOB_READ:
    case JOB_READ_MULTI:
        return true;
    case JOB_SCAN:
        return !job->scan.by_bucket;
    default:
        return false;
    }
}

/* Whether a prefix that holds these slots holds what the job is about. */
static inline bool job_is_held(const struct job *job, const struct slots *slots)
{
    return !job_has_id(job) || slots_hold(slots, &job->id_hash);
}

static inline bool job_appends(const struct job *job)
{
    return job->kind == JOB_APPEND || job->kind == JOB_APPEND_MULTI;
}

/* Whether the prefix is made for it if it is missing. An append that expects to find something is
 * none that makes it. */
static inline bool job_creates(const struct job *job)
{
    return job_appends(job) && (!job->expects || job->expected == 0);
}

#endif
