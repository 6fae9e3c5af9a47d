/*
 * shutdown: how a server comes to its end.
 *
 * A signal, or a root whose lock is lost, begins it: nobody new comes in, and what was accepted is
 * finished. Clients have a few seconds for that, and what they had asked of the disk has one more;
 * then the end is there whatever is left. A second signal ends the process at once.
 *
 * Owned by the server; what it is given outlives it. Loop thread. Errors: -errno.
 */
#ifndef ROCHEFORT_HTTP_SHUTDOWN_H
#define ROCHEFORT_HTTP_SHUTDOWN_H

#include <stdbool.h>

struct connections;
struct event;
struct event_base;
struct listener;
struct root;
struct service;

/* Zeroed: not started. The server sets the first four. */
struct shutdown {
    struct service *service;
    struct connections *connections;
    struct listener **listener; /* closed when it begins, and NULL then */
    const struct root *root;
    struct event *terminate, *interrupt, *deadline;
    bool gave_up;
    bool root_lost; /* that is why it began, or it was found out since */
};

/* From here on SIGTERM and SIGINT begin it. After a failure the two calls below that free are made
 * too. */
int shutdown_start(struct shutdown *shutdown, struct event_base *base);

/* As if this signal had come. */
void shutdown_signal(struct shutdown *shutdown, int signal_number);

/* Begins if a worker has found out that the lock of the root is lost, before it has written. Once a
 * loop iteration. */
void shutdown_if_root_is_lost(struct shutdown *shutdown);

/* Whether it has begun and nothing is left to wait for. */
bool shutdown_is_over(const struct shutdown *shutdown);

/* From here on no loop looks at signals, and the last syncs may take their time: a signal ends the
 * process at once. */
void shutdown_leave_signals(struct shutdown *shutdown);

/* After shutdown_leave_signals. */
void shutdown_free(struct shutdown *shutdown);

/* Ends the process, when its logs are written. */
_Noreturn void shutdown_exit(const struct service *service, int status);

#endif
