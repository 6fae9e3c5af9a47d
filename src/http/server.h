/*
 * server: the event base, evhttp, the connections, the listeners and the
 * router, put together and taken apart again.
 *
 * One thread, the one that calls server_run. Errors: 0 or -errno.
 */
#ifndef ROCHEFORT_HTTP_SERVER_H
#define ROCHEFORT_HTTP_SERVER_H

#include <stdbool.h>

#include "http/server_options.h"

struct server;

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
