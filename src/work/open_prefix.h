/*
 * open_prefix: a storage prefix in use, from its first request to its close.
 *
 * A close waits for the replies in pieces that are under way, and requests that come
 * after it do not: they are served by a new generation, another open_prefix of the
 * same name with slots and descriptors of its own. The older one is read from until
 * these replies end; nothing is appended through it any more.
 *
 * Made and freed by the router on the loop thread. Its upper half is constant
 * while any job is in flight; a slot belongs to the one worker that owns its
 * bucket and is touched by no other thread; the lower half belongs to the loop.
 * What orders the threads is the hand-over of jobs through the rings.
 */
#ifndef ROCHEFORT_WORK_OPEN_PREFIX_H
#define ROCHEFORT_WORK_OPEN_PREFIX_H

#include <assert.h>
#include <limits.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/prefix.h"
#include "work/job_list.h"
#include "work/prefix_names.h"

/* uthash is the table of open prefixes: one header, no library; out of memory must not end us */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct bucket;
struct root;
struct router;
struct scan_wait_list;

/* A cache line each, since neighbours differ in owner. */
struct bucket_slot {
    alignas(64) struct bucket *bucket; /* NULL: not in use */
    struct job *appends; /* not written yet: the last of a ring, its `next` is the first */
    struct bucket_slot *next_dirty;
    struct bucket_slot *newer, *older; /* used after and before it; see file_cache.h */
    struct open_prefix *prefix;        /* set when the bucket is opened */
    struct bucket_slot *next_unsynced;
    bool unsynced : 1;     /* appended to, and to be synced within the interval */
    bool syncing : 1;      /* a sync is under way: it takes no appends, and stays open */
    bool sync_refused : 1; /* a sync has failed: none is tried until the prefix is closed */
    bool in_pieces : 1;    /* a reply in pieces was read from it, and may go on */
    bool closing : 1;      /* a close waits for its sync */
    bool waiting : 1;      /* in append_batches.waiting */
    bool tell_sync : 1;    /* the loop is to be told of its next sync, see scan_waits.h */
    uint32_t usual_bytes;  /* about how long the values are that were read, see reader.h */
};

/* "<root>/<prefix>/<file>" */
#define BUCKET_SLOT_PATH_BYTES (PATH_MAX + PREFIX_NAME_BYTES_MAX + BUCKET_FILE_NAME_BYTES + 2)

/* The path of the file, for messages, once the bucket was open. */
void bucket_slot_path(const struct bucket_slot *slot, const struct root *root,
                      char out[BUCKET_SLOT_PATH_BYTES]);

static_assert(sizeof(struct bucket_slot) == 64, "one cache line");

enum prefix_state {
    PREFIX_SHUT,    /* not resolved; kept by a job in `parked` or by an older generation */
    PREFIX_OPENING, /* a worker resolves it */
    PREFIX_OPEN,
    PREFIX_DRAINING, /* close was asked for; appends accepted before it are in flight */
    PREFIX_SEALING,  /* the workers, one after the other, close the files that are not read from */
    PREFIX_SEALED,   /* reads accepted before the close go on; a newer generation may be open */
    PREFIX_CLOSING   /* the workers close the rest */
};

struct open_prefix {
    char name[PREFIX_NAME_BYTES_MAX + 1];
    size_t name_bytes;
    uint64_t hash;
    struct manifest manifest;
    struct root_stamp
        stamp; /* of the file that says so; only if somebody else writes to the root */
    unsigned buckets_if_new;   /* if it is to be made with so many again; 0: as others */
    unsigned missing;          /* files that are still to be made, while it is opened */
    struct bucket_slot *slots; /* one for each bucket */
    struct prefix_names names; /* of the sync threads, see there */
    atomic_bool sync_refused;  /* of a slot */
    atomic_bool *synced;       /* for each bucket, see scan_waits.h */

    /* the worker that has the message to close it */
    unsigned syncs_left; /* so many of its slots are `closing` */

    /* loop thread */
    struct router *router;
    enum prefix_state state;
    struct open_prefix *older, *newer; /* generations; the newest is in the router's table */
    struct open_prefix *used_after, *used_before; /* see prefix_table.h */
    unsigned in_flight;                           /* jobs submitted and not finished */
    unsigned appends;                             /* so many of them */
    struct job_list parked;
    struct job_list again;   /* appends that have found it deleted */
    struct job_list closers; /* the closes that wait until it and all older ones are closed */
    int close_error; /* the first of closing its files; whether of a sync, and of which file */
    bool close_of_sync;
    unsigned close_bucket;
    int64_t draining_since;            /* clock_monotonic_s, from that state on */
    struct job control;                /* the router's own message to a worker */
    struct scan_wait_list *scan_waits; /* two for each bucket; NULL: none has waited yet */
    void *data;                        /* of the router's user, see prefix_data_set */
    void (*free_data)(void *data);
    UT_hash_handle hh;
};

/* Shut, with nothing parked. NULL when out of memory. */
struct open_prefix *open_prefix_new(struct router *router, const char *name, size_t name_bytes,
                                    uint64_t hash);

/* The next generation of a prefix. NULL when out of memory. */
struct open_prefix *open_prefix_new_generation(struct open_prefix *older);

/* Closes the buckets that are left, frees `data` and all the rest. No worker may use it any more.
 */
void open_prefix_free(struct open_prefix *prefix);

/* Makes a slot for each of the `buckets`. 0 or -ENOMEM. */
int open_prefix_make_slots(struct open_prefix *prefix);

/* The buckets are closed: the slots and all that is known of the open prefix go. */
void open_prefix_reset(struct open_prefix *prefix);

/* Frees what was there. */
void open_prefix_set_data(struct open_prefix *prefix, void *data, void (*free_data)(void *data));

/* The worker that owns a bucket. */
static inline unsigned open_prefix_owner(const struct open_prefix *prefix, unsigned bucket,
                                         unsigned workers)
{
    return (unsigned)((prefix->hash + bucket) % workers);
}

#endif
