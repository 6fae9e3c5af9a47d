#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/line_queue.h"
#include "base/printable.h"
#include "base/thread.h"

#define LINE_BYTES_MAX 2048
/* Lines that are written at once: a pipe takes so many bytes whole or not at all. */
#define BATCH_BYTES PIPE_BUF
#define QUEUE_BYTES (1024 * 1024)
/* How long an end of the process, or a caller without the thread, waits for the reader. */
#define STALL_MS 1000

static char queue_memory[QUEUE_BYTES];

/* All but the thread's own variables is under the mutex. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t filled, emptied; /* the queue; or the thread is to end, and has ended */
    pthread_t thread;
    bool conditions_made;
    bool started, stopping, ended;
    bool left_behind; /* a thread that log_stop did not wait for */
    bool full;        /* lines are dropped until the queue is empty */
    struct line_queue queue;
    uint64_t dropped, unreported; /* lines; the second: that no line has told of */
} state = {.mutex = PTHREAD_MUTEX_INITIALIZER,
           .queue = {.memory = queue_memory, .capacity = QUEUE_BYTES}};

static void lock(void)
{
    (void)pthread_mutex_lock(&state.mutex); /* fails only if it is wrongly used */
}

static void unlock(void)
{
    (void)pthread_mutex_unlock(&state.mutex);
}

/* With the newline; 0 if the message cannot be formatted. */
static size_t format_line(char line[LINE_BYTES_MAX], const char *format, va_list arguments)
{
    time_t now = time(NULL);
    struct tm local;
    size_t begin = 0;
    if (localtime_r(&now, &local) != NULL)
        begin = strftime(line, LINE_BYTES_MAX, "%Y/%m/%d %H:%M:%S ", &local);
    int added = vsnprintf(line + begin, LINE_BYTES_MAX - begin, format, arguments);
    if (added < 0)
        return 0;
    size_t bytes = begin + (size_t)added;
    if (bytes > LINE_BYTES_MAX - 1)
        bytes = LINE_BYTES_MAX - 1;
    printable_make(line + begin, bytes - begin);
    line[bytes++] = '\n';
    return bytes;
}

static size_t format_report(char line[LINE_BYTES_MAX], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t bytes = format_line(line, format, arguments);
    va_end(arguments);
    return bytes;
}

/* Whether the reader takes something within so many milliseconds (-1: however long that takes). If
 * standard error is broken or closed it does: the write says so at once. */
static bool reader_is_ready(int wait_ms)
{
    struct pollfd error = {.fd = STDERR_FILENO, .events = POLLOUT};
    int ready;
    do
        ready = poll(&error, 1, wait_ms);
    while (ready < 0 && errno == EINTR);
    return ready != 0;
}

/* False: not, or not all, written. With `wait_ms` of -1 it may take as long as the reader likes. */
static bool write_lines(const char *lines, size_t bytes, int wait_ms)
{
    while (bytes > 0) {
        if (wait_ms >= 0 && !reader_is_ready(wait_ms))
            return false;
        ssize_t written = write(STDERR_FILENO, lines, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        /* Another process has made it non-blocking, which it then is for all that share it. */
        if (written < 0 && errno == EAGAIN && reader_is_ready(wait_ms))
            continue;
        if (written < 0)
            return false;
        lines += written;
        bytes -= (size_t)written;
    }
    return true;
}

static void count_dropped(uint64_t lines)
{
    state.dropped += lines;
    state.unreported += lines;
}

void log_line(const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    size_t bytes = format_line(line, format, arguments);
    va_end(arguments);
    if (bytes == 0)
        return;
    lock();
    if (state.started && !state.full && line_queue_put(&state.queue, line, bytes)) {
        (void)pthread_cond_signal(&state.filled);
    } else if (state.started) {
        state.full = true;
        count_dropped(1);
    } else {
        unlock();
        bool written = write_lines(line, bytes, STALL_MS);
        lock();
        count_dropped(!written);
    }
    unlock();
}

/* Writes what is at the head of the queue. The lock is given up meanwhile. */
static void write_queued(const char *lines, size_t bytes)
{
    unlock();
    bool written = write_lines(lines, bytes, -1);
    lock();
    if (state.left_behind) /* log_stop has counted and removed them */
        return;
    line_queue_remove(&state.queue, bytes);
    if (!written)
        count_dropped(line_queue_count(lines, bytes));
}

/* How many lines have been dropped since the last report. False: it could not be written. */
static bool report_dropped(void)
{
    char line[LINE_BYTES_MAX];
    uint64_t count = state.unreported;
    unlock();
    size_t bytes =
        format_report(line, "%llu log lines were dropped: standard error did not take them",
                      (unsigned long long)count);
    bool written = write_lines(line, bytes, -1);
    lock();
    if (written)
        state.unreported -= count;
    return written;
}

static void *run_writer(void *argument)
{
    char lines[BATCH_BYTES];
    bool reports = true; /* false: the last one has failed, and nothing was written since */
    (void)argument;
    lock();
    while (!state.left_behind) {
        size_t bytes = line_queue_peek(&state.queue, lines, sizeof(lines));
        if (bytes > 0) {
            write_queued(lines, bytes);
            reports = true;
            continue;
        }
        state.full = false;
        if (state.unreported > 0 && reports) {
            reports = report_dropped();
            continue;
        }
        (void)pthread_cond_broadcast(&state.emptied);
        if (state.stopping)
            break;
        (void)pthread_cond_wait(&state.filled, &state.mutex);
    }
    state.ended = true;
    state.left_behind = false;
    (void)pthread_cond_broadcast(&state.emptied);
    unlock();
    return NULL;
}

/* Both wait for times of CLOCK_MONOTONIC. They are kept, as somebody may be in log_flush. */
static int make_conditions(void)
{
    pthread_condattr_t monotonic;
    if (state.conditions_made)
        return 0;
    int error = pthread_condattr_init(&monotonic);
    if (error != 0)
        return -error;
    error = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    if (error == 0)
        error = pthread_cond_init(&state.filled, &monotonic);
    if (error == 0)
        error = pthread_cond_init(&state.emptied, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    state.conditions_made = error == 0;
    return -error;
}

int log_start(void)
{
    tzset(); /* reads a file, which a loop that logs its first line must not do */
    lock();
    int error = state.started || state.left_behind ? -EBUSY : make_conditions();
    if (error == 0) {
        state.stopping = state.ended = false;
        error = thread_start(&state.thread, run_writer, NULL);
        state.started = error == 0;
    }
    unlock();
    return error;
}

static bool all_is_written(void)
{
    return state.stopping ? state.ended : state.queue.used == 0;
}

/* Under the lock. */
static void wait_until_written(void)
{
    uint64_t end_ns = clock_monotonic_ns() + STALL_MS * CLOCK_NS_PER_MS;
    struct timespec end = {.tv_sec = (time_t)(end_ns / CLOCK_NS_PER_SECOND),
                           .tv_nsec = (long)(end_ns % CLOCK_NS_PER_SECOND)};
    while (!all_is_written())
        if (pthread_cond_timedwait(&state.emptied, &state.mutex, &end) != 0)
            return;
}

void log_flush(void)
{
    lock();
    if (state.started)
        wait_until_written();
    unlock();
}

void log_stop(void)
{
    lock();
    if (!state.started) {
        unlock();
        return;
    }
    state.stopping = true;
    (void)pthread_cond_signal(&state.filled);
    wait_until_written();
    state.started = state.full = false;
    state.left_behind = !state.ended;
    count_dropped(line_queue_clear(&state.queue));
    bool ended = state.ended;
    unlock();
    if (ended)
        (void)pthread_join(state.thread, NULL);
    else
        (void)pthread_detach(state.thread);
}

uint64_t log_dropped(void)
{
    lock();
    uint64_t dropped = state.dropped;
    unlock();
    return dropped;
}
