#include "standby.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/service_manager.h"

/* A service manager gives a start so much time once it has been told, and is told again in time. */
#define EXTEND_SECONDS 30
#define EXTEND_EVERY_SECONDS 10
#define NS_PER_MS 1000000

static void block_signals(const struct standby_options *options, sigset_t *stopping,
                          sigset_t *before)
{
    /* these fail for numbers that are no signals */
    (void)sigemptyset(stopping);
    (void)sigaddset(stopping, SIGTERM);
    (void)sigaddset(stopping, SIGINT);
    if (options->stops_on_hangup)
        (void)sigaddset(stopping, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, stopping, before);
}

/* Until the next look. The signal that has come, or 0. */
static int pause_for_signal(const sigset_t *stopping)
{
    const struct timespec interval = {.tv_nsec = (long)STANDBY_INTERVAL_MS * NS_PER_MS};
    int signal_number = sigtimedwait(stopping, NULL, &interval);
    return signal_number > 0 ? signal_number : 0; /* EAGAIN; EINTR of a signal that is not for us */
}

/* The lock is another server's. */
static enum standby_result wait_for_lock(const struct standby_options *options,
                                         const sigset_t *stopping, struct root **root, int *error)
{
    const struct root_options root_options = {.file_mode = options->file_mode, .takes_over = true};
    const int64_t begun_s = clock_monotonic_s();
    int64_t extended_s = begun_s - EXTEND_EVERY_SECONDS;
    while (*error == -EWOULDBLOCK) {
        int64_t now_s = clock_monotonic_s();
        if (now_s - begun_s >= options->wait_s)
            return STANDBY_FAILED;
        if (now_s - extended_s >= EXTEND_EVERY_SECONDS) {
            service_manager_extend(EXTEND_SECONDS);
            extended_s = now_s;
        }
        int signal_number = pause_for_signal(stopping);
        if (signal_number != 0) {
            log_line("%s, stopping; the lock was not waited for any longer",
                     strsignal(signal_number));
            service_manager_send("STOPPING=1");
            return STANDBY_STOPPED;
        }
        *error = root_open_with(options->root, &root_options, root);
    }
    if (*error != 0)
        return STANDBY_FAILED;
    log_line("the lock of root %s is free after %lld s: taking it over", options->root,
             (long long)(clock_monotonic_s() - begun_s));
    service_manager_send("STATUS=has taken the root over");
    return STANDBY_OPEN;
}

enum standby_result standby_open_root(const struct standby_options *options, struct root **root,
                                      int *error)
{
    const struct root_options root_options = {.file_mode = options->file_mode,
                                              .read_only = options->read_only,
                                              .takes_over = options->wait_s > 0};
    sigset_t stopping, before;
    *error = root_open_with(options->root, &root_options, root);
    if (*error != -EWOULDBLOCK || options->wait_s == 0)
        return *error == 0 ? STANDBY_OPEN : STANDBY_FAILED;
    log_line("another rochefort is using root %s: waiting up to %lld s for its lock", options->root,
             (long long)options->wait_s);
    service_manager_send("STATUS=waiting for the lock of the root");
    block_signals(options, &stopping, &before);
    enum standby_result result = wait_for_lock(options, &stopping, root, error);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}
