#include "http/shutdown.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/service_manager.h"
#include "http/access_log.h"
#include "http/endpoints.h"
#include "http/service.h"
#include "net/connections.h"
#include "net/listener.h"
#include "store/root.h"
#include "work/router.h"

/* How long clients are waited for, and then the disk. */
#define STOP_SECONDS 5
#define STOP_DISK_SECONDS 1
#define EXIT_SIGNALLED_TWICE 3

_Noreturn void shutdown_exit(const struct service *service, int status)
{
    access_log_flush(service->access_log);
    log_flush();
    _exit(status);
}

static void begin(struct shutdown *shutdown)
{
    static const struct timeval limit = {.tv_sec = STOP_SECONDS};
    shutdown->service->stopping = true;
    service_manager_send("STOPPING=1");
    listener_close(*shutdown->listener);
    *shutdown->listener = NULL;
    connections_drain(shutdown->connections);
    scan_end_waits(shutdown->service);
    if (event_add(shutdown->deadline, &limit) != 0)
        shutdown->gave_up = true;
}

void shutdown_signal(struct shutdown *shutdown, int signal_number)
{
    if (shutdown->service->stopping) {
        log_line("second signal, exiting at once");
        shutdown_exit(shutdown->service, EXIT_SIGNALLED_TWICE);
    }
    log_line("%s, stopping", strsignal(signal_number));
    begin(shutdown);
}

void shutdown_if_root_is_lost(struct shutdown *shutdown)
{
    const char *why = root_loss(shutdown->root);
    if (why == NULL || shutdown->root_lost)
        return;
    shutdown->root_lost = true;
    log_line("the lock of the root is lost: %s/%s: %s; nothing is written any more, stopping",
             root_path(shutdown->root), ROOT_LOCK_NAME, why);
    if (!shutdown->service->stopping)
        begin(shutdown);
}

static void on_signal(evutil_socket_t signal_number, short what, void *argument)
{
    (void)what;
    shutdown_signal(argument, (int)signal_number);
}

static void on_deadline(evutil_socket_t fd, short what, void *argument)
{
    struct shutdown *shutdown = argument;
    static const struct timeval limit = {.tv_sec = STOP_DISK_SECONDS};
    unsigned clients = connections_count(shutdown->connections);
    (void)fd;
    (void)what;
    if (connections_ending(shutdown->connections) || clients == 0) {
        shutdown->gave_up = true;
        return;
    }
    log_line("%u clients did not finish in %d s", clients, STOP_SECONDS);
    connections_end(shutdown->connections);
    if (event_add(shutdown->deadline, &limit) != 0)
        shutdown->gave_up = true;
}

int shutdown_start(struct shutdown *shutdown, struct event_base *base)
{
    shutdown->terminate = evsignal_new(base, SIGTERM, on_signal, shutdown);
    shutdown->interrupt = evsignal_new(base, SIGINT, on_signal, shutdown);
    shutdown->deadline = evtimer_new(base, on_deadline, shutdown);
    if (shutdown->terminate == NULL || shutdown->interrupt == NULL || shutdown->deadline == NULL ||
        event_add(shutdown->terminate, NULL) != 0 || event_add(shutdown->interrupt, NULL) != 0)
        return -ENOMEM;
    return 0;
}

bool shutdown_is_over(const struct shutdown *shutdown)
{
    return shutdown->service->stopping &&
           (shutdown->gave_up || (connections_count(shutdown->connections) == 0 &&
                                  router_in_flight(shutdown->service->router) == 0));
}

static void exit_at_once(int signal_number)
{
    (void)signal_number;
    _exit(EXIT_SIGNALLED_TWICE);
}

void shutdown_leave_signals(struct shutdown *shutdown)
{
    struct event **events[] = {&shutdown->terminate, &shutdown->interrupt};
    static const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (*events[i] == NULL)
            continue;
        event_free(*events[i]); /* gives the signal back, so ours comes after it */
        *events[i] = NULL;
        (void)signal(signals[i], exit_at_once);
    }
}

void shutdown_free(struct shutdown *shutdown)
{
    if (shutdown->deadline != NULL)
        event_free(shutdown->deadline);
}
