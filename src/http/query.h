/*
 * query: the parameters of a request, form-urlencoded.
 *
 * evhttp's own parser fails on a bare key, does not decode keys and cuts
 * values at %00; this one knows the parameters of this service and is strict.
 * Pure functions.
 */
#ifndef ROCHEFORT_HTTP_QUERY_H
#define ROCHEFORT_HTTP_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/id_hash.h"
#include "store/names.h"
#include "store/record.h"

#define QUERY_DEFAULT_PREFIX "default"
#define QUERY_WAIT_SECONDS_MAX 60

/* What a server is to be ready for: appends, and so gets too, unless given. */
enum query_purpose { QUERY_FOR_APPEND, QUERY_FOR_GET };

/* The record that a client has read before: its offset and its header. */
struct query_last {
    int64_t offset;
    uint8_t header[RECORD_HEADER_BYTES];
};

struct query {
    bool has_id; /* given and not empty */
    struct id_hash id_hash;
    bool has_offset;
    int64_t offset; /* 0 .. INT64_MAX */
    bool sync;
    bool expects;     /* `expect` was given */
    int64_t expected; /* 0 .. INT64_MAX */
    enum query_purpose purpose;
    bool errors_each; /* errors=each */
    bool has_bucket;
    unsigned bucket; /* 0 .. PREFIX_BUCKETS_MAX - 1 */
    int64_t limit;   /* at least 1; 0: not given */
    unsigned wait_s; /* 0 .. QUERY_WAIT_SECONDS_MAX */
    bool synced;
    bool has_last;
    struct query_last last;
    char after[PREFIX_NAME_BYTES_MAX + 1]; /* the name of a prefix; "": not given */
    char prefix[PREFIX_NAME_BYTES_MAX + 1];
};

/*
 * Parses `text` (NULL: no query). Unknown parameters are ignored. NULL if all is well, otherwise
 * what is wrong, one line for the client: a bad escape, %00, a known parameter given twice or in
 * other letters, an
 * offset or expect that is no number, a prefix or after that is no valid name, a sync or synced
 * that is neither 0 nor 1, a `for` that is neither append nor get, an errors that is not each, a
 * bucket, limit or wait out of range, a last that is no offset and header.
 */
const char *query_parse(const char *text, struct query *query);

/* Decodes the value of storagePrefix as query_parse does; that of no bytes is the default one. NULL
 * if all is well, otherwise what is wrong. */
const char *query_decode_prefix(const char *text, size_t bytes,
                                char prefix[PREFIX_NAME_BYTES_MAX + 1]);

#endif
