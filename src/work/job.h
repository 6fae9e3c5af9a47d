/*
 * job: one request on its way from the loop to a worker and back.
 *
 * The loop thread allocates it (as part of something larger), fills the
 * request half and submits it; from then on it and all it points at belong to
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

struct evbuffer;
struct open_prefix;

/* A value up to this long is in the job itself: no allocation, one pread with its header, unless
 * longer ones are usual in its file. */
#define JOB_SMALL_BYTES 1008
/* At most this much of a reply is in memory at a time. */
#define JOB_PIECE_BYTES (256 * 1024 - 64) /* with libevent's chain header a power of two */
/* One offset in the body of a getMulti. */
#define JOB_OFFSET_BYTES 8

enum job_kind {
    JOB_APPEND,     /* append `value` */
    JOB_READ,       /* read the value at `offset` */
    JOB_READ_MULTI, /* read the values at `offsets` */
    JOB_CLOSE,      /* close all files of the prefix */
    JOB_RESOLVE     /* internal: find or create the prefix's directory */
};

struct job {
    enum job_kind kind;
    void (*done)(struct job *job); /* loop thread */

    /* request */
    const void *client;       /* who asks; only compared, see pool.h on lone clients */
    uint64_t id_hash;         /* picks the bucket */
    struct evbuffer *value;   /* JOB_APPEND: 1 .. RECORD_VALUE_BYTES_MAX bytes, only read */
    struct evbuffer *offsets; /* JOB_READ_MULTI: little-endian u64 each; drained as they are read */
    bool header_only;         /* JOB_READ: only the length is wanted */
    bool sync;      /* JOB_APPEND: done when it is on the disk; result: the error is of the sync */
    int64_t offset; /* JOB_READ: where; JOB_APPEND: result; JOB_READ_MULTI: the one at hand */

    /* result */
    int error;              /* 0 or -errno */
    bool more;              /* the reply goes on: resume or abandon */
    unsigned bucket;        /* where the id is, for messages; valid unless the prefix failed */
    uint32_t value_bytes;   /* JOB_READ: length of the whole value */
    uint32_t small_bytes;   /* JOB_READ: bytes in `small`, if `piece` is NULL */
    struct evbuffer *piece; /* reads: made and filled by the worker, sent and freed by the loop */

    /* progress of a read in pieces; worker */
    uint32_t value_done;     /* bytes of the value at hand that were handed over */
    bool value_open;         /* JOB_READ_MULTI: in the middle of a value */
    uint64_t file;           /* that the value at hand begins in, see bucket_file */
    bool waits;              /* the cache does not have what comes next, and the kernel was told */
    uint32_t expected_bytes; /* JOB_READ: what values of this bucket are long, as far as known */

    /* routing; work/ only */
    struct open_prefix *prefix; /* once done: NULL if no bucket was tried */
    unsigned worker;
    void (*arrived)(struct job *job);
    bool lone;   /* from a lone client */
    bool create; /* JOB_RESOLVE: make the prefix if it is missing */
    struct job *next;

    uint8_t small[JOB_SMALL_BYTES];
};

#endif
