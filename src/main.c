/*
 * rochefort: flags, signals, wiring, order of shutdown.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/log.h"
#include "base/service_manager.h"
#include "base/standard_streams.h"
#include "command_line.h"
#include "http/server.h"
#include "net/inherited_sockets.h"
#include "standby.h"
#include "store/error.h"
#include "store/prefix_limit.h"
#include "store/root.h"
#include "tools/tools.h"

#define EXIT_USAGE 2
/* Descriptors for all but connections: listening sockets, events, standard streams, data files. */
#define OTHER_DESCRIPTORS 256
/* Those of them that are not for data files. */
#define KEPT_DESCRIPTORS 64
#define FILES_MAX (1 << 20)
/* A sync thread's own: a directory and a file. */
#define SYNC_DESCRIPTORS 2

/* Raises the limit of descriptors to the hard limit. Returns how many connections fit into it. */
static unsigned fit_connections(int64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return (unsigned)wanted;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return (unsigned)wanted;
    uint64_t most = limit.rlim_cur > 2 * OTHER_DESCRIPTORS ? limit.rlim_cur - OTHER_DESCRIPTORS
                                                           : limit.rlim_cur / 2;
    if ((uint64_t)wanted <= most)
        return (unsigned)wanted;
    log_line("the limit of open files is %llu: at most %llu connections",
             (unsigned long long)limit.rlim_cur, (unsigned long long)most);
    return (unsigned)most;
}

/* How many data files may be open: the descriptors that are not for others. */
static unsigned fit_files(unsigned others)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return OTHER_DESCRIPTORS - KEPT_DESCRIPTORS;
    uint64_t kept = (uint64_t)others + KEPT_DESCRIPTORS;
    uint64_t files = limit.rlim_cur > kept ? limit.rlim_cur - kept : 0;
    return files < FILES_MAX ? (unsigned)files : FILES_MAX;
}

static const char *why_no_root(int error)
{
    return error == -EWOULDBLOCK ? "another rochefort is using it" : store_error_text(error);
}

/* Whether SIGHUP means that the terminal is gone at which the server was started. */
static bool has_terminal(void)
{
    return tcgetsid(STDIN_FILENO) >= 0 || tcgetsid(STDERR_FILENO) >= 0;
}

/* `hangup`: what SIGHUP did when the program was started; nohup has it ignored. */
static int serve(struct options *options, void (*hangup)(int))
{
    int inherited[INHERITED_SOCKETS_MAX];
    int inherited_count = inherited_sockets_open(inherited);
    if (inherited_count < 0) {
        log_line("LISTEN_FDS: not up to %d listening sockets: %s", INHERITED_SOCKETS_MAX,
                 strerror(-inherited_count));
        return EXIT_FAILURE;
    }
    if (inherited_count == 0)
        command_line_listen_by_default(options);
    if (options->ignored_flag != NULL)
        log_line("-%s is ignored: it has no effect any more", options->ignored_flag);
    /* Nothing that is made from here on is open to more than the directories are; the rest is up to
     * -mode, whatever the umask was. */
    const mode_t file_mode = (mode_t)options->file_mode;
    (void)umask(ACCESSPERMS & ~root_directory_mode(file_mode));
    const bool stop_on_hangup = hangup != SIG_IGN && has_terminal();
    const struct standby_options standby_options = {.root = options->root,
                                                    .file_mode = file_mode,
                                                    .read_only = options->read_only,
                                                    .wait_s = options->lock_wait_seconds,
                                                    .stops_on_hangup = stop_on_hangup};
    struct root *root;
    int error;
    switch (standby_open_root(&standby_options, &root, &error)) {
    case STANDBY_STOPPED:
        return EXIT_SUCCESS;
    case STANDBY_FAILED:
        log_line("cannot use root %s: %s", options->root, why_no_root(error));
        return EXIT_FAILURE;
    case STANDBY_OPEN:
        break;
    }
    prefix_limit_set(root_prefix_limit(root), (unsigned)options->max_prefixes);
    struct server_options server_options = {
        .bind = options->bind,
        .inherited = inherited,
        .inherited_count = (size_t)inherited_count,
        .admin_bind = options->admin_bind,
        .socket_mode = (mode_t)options->socket_mode,
        .root = root,
        .workers = (unsigned)options->workers,
        .buckets = (unsigned)options->buckets,
        .slots = options->slots,
        .max_connections = fit_connections(options->max_connections),
        .max_in_flight = (unsigned)options->max_in_flight,
        .max_open_prefixes = (unsigned)options->max_open_prefixes,
        .max_value_bytes = (uint64_t)options->max_value_bytes,
        .max_batch_bytes = (uint64_t)options->max_batch_bytes,
        .max_buffered_bytes = (uint64_t)options->max_buffered_bytes,
        .timeouts = {.idle_s = (unsigned)options->idle_seconds,
                     .head_s = (unsigned)options->head_seconds,
                     .interval_s = (unsigned)options->rate_window_seconds,
                     .bytes_per_s_min = (uint64_t)options->rate_bytes_a_second_min},
        .cache_control = options->cache_control,
        .origins = {.origins = options->allow_origin, .hosts = options->allow_host},
        .token_file = options->token_file,
        .access_log = options->access_log,
        .file_mode = file_mode,
        .trusted_proxies = options->trusted_proxies,
        .log_slower_ms = options->log_slower_ms,
        .stop_on_hangup = stop_on_hangup,
        .sync_after_ms = (int)options->sync_after_ms,
        .sync_threads = (unsigned)options->sync_threads,
    };
    server_options.max_files =
        fit_files(server_options.max_connections + SYNC_DESCRIPTORS * server_options.sync_threads);
    struct server *server;
    if (server_start(&server_options, &server) != 0) {
        root_close(root);
        return EXIT_FAILURE;
    }
    int status = server_run(server);
    error = server_stop(server);
    if (error != 0 && status == EXIT_SUCCESS)
        status = EXIT_FAILURE;
    root_close(root);
    log_line("stopped");
    return status;
}

int main(int argc, char *argv[])
{
    if (standard_streams_open() != 0)
        return EXIT_FAILURE; /* and there is nobody to tell */
    if (tools_command(argc, argv))
        return tools_run(argc, argv);
    struct options options;
    switch (command_line_parse(argc, argv, &options)) {
    case COMMAND_LINE_WRONG:
        return EXIT_USAGE;
    case COMMAND_LINE_DONE:
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    case COMMAND_LINE_SERVE:
        break;
    }
    void (*hangup)(int) = signal(SIGHUP, SIG_IGN);
    /* A connection that the client has closed and a file at its size limit are errors of the call;
     * the signals would end the process. */
    if (hangup == SIG_ERR || signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
        signal(SIGXFSZ, SIG_IGN) == SIG_ERR) {
        log_line("signal: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    int error = log_start();
    if (error != 0) {
        log_line("cannot start the thread of the log: %s", strerror(-error));
        return EXIT_FAILURE;
    }
    error = service_manager_open();
    if (error != 0)
        log_line("NOTIFY_SOCKET, WATCHDOG_USEC or WATCHDOG_PID cannot be used: %s",
                 strerror(-error));
    int status = error == 0 ? serve(&options, hangup) : EXIT_FAILURE;
    service_manager_close();
    log_stop();
    return status;
}
