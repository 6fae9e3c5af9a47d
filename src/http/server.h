/*
 * server: the event base, evhttp, the connections, the listeners and the
 * router, put together and taken apart again.
 *
 * One thread, the one that calls server_run. Errors: 0 or -errno.
 */
#ifndef ROCHEFORT_HTTP_SERVER_H
#define ROCHEFORT_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "http/origin.h"
#include "net/address_list.h"
#include "net/timeouts.h"
#include "store/root.h"
#include "store/slots.h"

struct server;

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
    int64_t log_slower_ms;     /* -1: no request is logged */
    const char *cache_control; /* of values */
    struct origin_rules origins;
    const char *token_file; /* NULL: nobody is asked for a token */
    unsigned sync_threads;
    bool stop_on_hangup; /* SIGHUP does not read the tokens again, but ends the server */
    int sync_after_ms;   /* an append is on the disk by then; 0: before its reply, -1: never */
};

/* SIGHUP must be ignored already. Binds, starts the workers, writes the start line to the log. On
 * failure the log says why. */
int server_start(const struct server_options *options, struct server **out);

/* An exit status. */
#define SERVER_ROOT_LOST 4

/*
 * Serves until SIGTERM or SIGINT, or SIGHUP if asked to, or until the root is lost, then finishes
 * what is under way, for a few seconds at most. Returns the exit status: EXIT_SUCCESS or
 * SERVER_ROOT_LOST.
 */
int server_run(struct server *server);

/* One iteration of server_run's loop, for a program that is itself the client; it must not let it
 * sleep when what it waits for can come only from the program. */
void server_iterate(struct server *server, bool may_sleep);

/* Makes the syncs that are owed, closes all files and frees everything. 0 or -errno of a sync or a
 * close(2), of which the log says more. If the disk holds up syncs for too long the process ends
 * here, with EXIT_FAILURE or SERVER_ROOT_LOST. */
int server_stop(struct server *server);

#endif
