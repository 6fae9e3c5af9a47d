/*
 * server_options: what a server is started with.
 *
 * Read only; what it points at belongs to the caller of server_start, and outlives the server.
 */
#ifndef ROCHEFORT_HTTP_SERVER_OPTIONS_H
#define ROCHEFORT_HTTP_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "http/origin.h"
#include "net/address_list.h"
#include "net/timeouts.h"
#include "net/trusted_proxies.h"
#include "store/slots.h"

struct root;

struct server_options {
    struct address_list bind; /* listener.h has their form; one, or an inherited socket */
    const int *inherited;     /* inherited_sockets.h; as if they were of `bind`, before these */
    size_t inherited_count;
    struct address_list admin_bind; /* where the figures are; none: at `bind` */
    mode_t socket_mode;
    const struct root *root; /* outlives the server */
    struct slots slots;      /* for prefixes that are created from now on */
    unsigned workers, buckets, max_connections, max_in_flight, max_files, max_open_prefixes;
    uint64_t max_value_bytes, max_batch_bytes, max_buffered_bytes;
    struct timeouts timeouts;
    int64_t log_slower_ms;  /* -1: no request is logged */
    const char *access_log; /* a file, or "-" for standard output; NULL: there is none */
    mode_t file_mode;       /* of it, if it is new */
    struct trusted_proxies trusted_proxies;
    const char *cache_control; /* of values */
    struct origin_rules origins;
    const char *token_file; /* NULL: nobody is asked for a token */
    unsigned sync_threads;
    bool stop_on_hangup; /* SIGHUP does not read the tokens again, but ends the server */
    int sync_after_ms;   /* an append is on the disk by then; 0: before its reply, -1: never */
};

#endif
