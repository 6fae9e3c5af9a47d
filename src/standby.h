/*
 * standby: opens the root, and waits for its lock while another server has it (-lock-wait).
 *
 * A standby is a process that waits and does nothing else: it listens nowhere, so that a load
 * balancer sees it as down, and reads nothing of the root but whether the lock is free. The root is
 * opened anew for each look, since a file system on a network may have gone and come back
 * meanwhile.
 *
 * Main thread, before other threads but the log's are started.
 */
#ifndef ROCHEFORT_STANDBY_H
#define ROCHEFORT_STANDBY_H

#include <stdbool.h>
#include <stdint.h>

#include "store/root.h"

/* So often the lock is tried. */
#define STANDBY_INTERVAL_MS 200

struct standby_options {
    const char *root;
    mode_t file_mode;
    bool read_only;
    int64_t wait_s;       /* at most; 0: another server's lock is an error at once */
    bool stops_on_hangup; /* SIGHUP ends the wait, too */
};

enum standby_result {
    STANDBY_OPEN,
    STANDBY_FAILED, /* `*error` is that of root_open; -EWOULDBLOCK: the time is over */
    STANDBY_STOPPED /* by SIGTERM or SIGINT; the log says so */
};

/* What the service manager is told: it waits, and then that it has the root. */
enum standby_result standby_open_root(const struct standby_options *options, struct root **root,
                                      int *error);

#endif
