#include "base/line_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/line_queue.h"
#include "base/log.h"
#include "base/thread.h"

#define QUEUE_BYTES (4 * 1024 * 1024)
/* Lines that are written at once. */
#define BATCH_BYTES (64 * 1024)
/* How long a close waits for the file, and how often the thread looks whether that is over. */
#define STALL_MS 1000
#define LOOK_MS 100

struct line_file {
    const char *path, *name;
    mode_t mode;

    /* the thread's own once it has begun */
    int fd;
    bool regular; /* otherwise writing may have to wait for a reader */
    bool torn;    /* the last thing written is not the end of a line */
    bool failing; /* the log has been told */
    char batch[BATCH_BYTES];

    atomic_bool abandoned; /* nobody waits for the file any more */
    pthread_t thread;
    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t filled, emptied;
    bool reopen, stopping, ended, idle, full;
    struct line_queue queue;
    uint64_t dropped, unreported;
};

static void lock(struct line_file *file)
{
    (void)pthread_mutex_lock(&file->mutex); /* fails only if it is wrongly used */
}

static void unlock(struct line_file *file)
{
    (void)pthread_mutex_unlock(&file->mutex);
}

static bool is_standard_output(const struct line_file *file)
{
    return strcmp(file->path, LINE_FILE_STANDARD_OUTPUT) == 0;
}

/* -EBADF: it was closed when the process began, see standard_streams.h. */
static int check_standard_output(void)
{
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    if (flags < 0)
        return -errno;
    return (flags & O_ACCMODE) == O_RDONLY ? -EBADF : STDOUT_FILENO;
}

const char *line_file_error_text(int error)
{
    return error == -ENXIO ? "a pipe that nobody reads, or a socket" : strerror(-error);
}

/* Answers the descriptor. O_NONBLOCK: a pipe that nobody reads is an error at once. */
static int open_path(const struct line_file *file, bool *regular)
{
    struct stat status;
    int fd =
        is_standard_output(file)
            ? check_standard_output()
            : open(file->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                   file->mode);
    if (fd < 0)
        return is_standard_output(file) ? fd : -errno;
    if (fstat(fd, &status) != 0) {
        int error = -errno;
        if (!is_standard_output(file))
            (void)close(fd);
        return error;
    }
    *regular = S_ISREG(status.st_mode);
    return fd;
}

/* False: nobody waits for it any more. */
static bool wait_for_reader(struct line_file *file)
{
    struct pollfd output = {.fd = file->fd, .events = POLLOUT};
    while (!atomic_load(&file->abandoned))
        if (poll(&output, 1, LOOK_MS) > 0)
            return true; /* or it is broken, and the write says so */
    return false;
}

static void note_failure(struct line_file *file, int error)
{
    if (!file->failing)
        log_line("cannot write %s %s: %s; its lines are lost until it can be written", file->name,
                 file->path, strerror(error));
    file->failing = true;
}

/* So many are written in the end; the rest could not be. */
static size_t write_bytes(struct line_file *file, const char *bytes, size_t length)
{
    size_t done = 0;
    while (done < length) {
        size_t some = length - done;
        if (!file->regular && !wait_for_reader(file))
            break;
        /* so much a pipe that is ready takes without a wait */
        if (!file->regular && some > PIPE_BUF)
            some = PIPE_BUF;
        ssize_t written = write(file->fd, bytes + done, some);
        if (written < 0 && (errno == EINTR || (errno == EAGAIN && !file->regular)))
            continue;
        if (written <= 0) {
            note_failure(file, written < 0 ? errno : ENOSPC);
            break;
        }
        done += (size_t)written;
        file->torn = bytes[done - 1] != '\n';
    }
    return done;
}

/* Returns how many of the lines are lost. */
static uint64_t write_lines(struct line_file *file, size_t bytes)
{
    if (file->torn && write_bytes(file, "\n", 1) == 0)
        return line_queue_count(file->batch, bytes);
    size_t written = write_bytes(file, file->batch, bytes);
    if (written == bytes)
        file->failing = false;
    return line_queue_count(file->batch + written, bytes - written);
}

static void open_again(struct line_file *file)
{
    bool regular = false; /* as the analyzer wants it: open_path sets it if it succeeds */
    if (is_standard_output(file))
        return;
    int fd = open_path(file, &regular);
    if (fd < 0) {
        log_line("cannot open %s %s again: %s; the old file is still written", file->name,
                 file->path, line_file_error_text(fd));
        return;
    }
    if (close(file->fd) != 0)
        log_line("close of %s %s: %s", file->name, file->path, strerror(errno));
    file->fd = fd;
    file->regular = regular;
    file->torn = false;
    log_line("%s %s is open again", file->name, file->path);
}

/* Under the lock, which is given up meanwhile. */
static void report_dropped(struct line_file *file)
{
    uint64_t count = file->unreported;
    file->unreported = 0;
    unlock(file);
    log_line("%llu lines of %s %s were lost", (unsigned long long)count, file->name, file->path);
    lock(file);
}

static void write_queued(struct line_file *file, size_t bytes)
{
    unlock(file);
    uint64_t lost = write_lines(file, bytes);
    lock(file);
    line_queue_remove(&file->queue, bytes);
    file->dropped += lost;
    file->unreported += lost;
}

static void *run_writer(void *argument)
{
    struct line_file *file = argument;
    lock(file);
    for (;;) {
        size_t bytes;
        if (file->reopen) {
            file->reopen = false;
            unlock(file);
            open_again(file);
            lock(file);
        } else if ((bytes = line_queue_peek(&file->queue, file->batch, sizeof(file->batch))) > 0) {
            write_queued(file, bytes);
        } else {
            file->full = false;
            if (file->unreported > 0 && (!file->failing || file->stopping)) {
                report_dropped(file);
                continue;
            }
            file->idle = true;
            (void)pthread_cond_broadcast(&file->emptied);
            if (file->stopping)
                break;
            (void)pthread_cond_wait(&file->filled, &file->mutex);
            file->idle = false;
        }
    }
    file->ended = true;
    (void)pthread_cond_broadcast(&file->emptied);
    unlock(file);
    return NULL;
}

/* `emptied` waits for times of CLOCK_MONOTONIC. */
static int make_conditions(struct line_file *file)
{
    pthread_condattr_t monotonic;
    int error = pthread_mutex_init(&file->mutex, NULL);
    if (error != 0)
        return -error;
    error = pthread_condattr_init(&monotonic);
    if (error != 0)
        return -error;
    error = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    if (error == 0)
        error = pthread_cond_init(&file->filled, &monotonic);
    if (error == 0)
        error = pthread_cond_init(&file->emptied, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return -error;
}

static void free_file(struct line_file *file)
{
    if (file->fd >= 0 && !is_standard_output(file) && close(file->fd) != 0)
        log_line("close of %s %s: %s", file->name, file->path, strerror(errno));
    free(file->queue.memory);
    free(file);
}

int line_file_open(const char *path, mode_t mode, const char *name, struct line_file **out)
{
    struct line_file *file = calloc(1, sizeof(*file));
    if (file == NULL)
        return -ENOMEM;
    *file = (struct line_file){.path = path, .mode = mode, .name = name, .fd = -1};
    file->queue = (struct line_queue){.memory = malloc(QUEUE_BYTES), .capacity = QUEUE_BYTES};
    int error = file->queue.memory != NULL ? make_conditions(file) : -ENOMEM;
    if (error == 0) {
        file->fd = open_path(file, &file->regular);
        error = file->fd < 0 ? file->fd : thread_start(&file->thread, run_writer, file);
    }
    if (error != 0) {
        free_file(file);
        return error;
    }
    *out = file;
    return 0;
}

bool line_file_put(struct line_file *file, const char *line, size_t bytes)
{
    lock(file);
    bool put = !file->full && line_queue_put(&file->queue, line, bytes);
    if (!put) {
        file->full = true;
        file->dropped++;
        file->unreported++;
    }
    bool wake = file->idle;
    file->idle = false;
    unlock(file);
    if (wake)
        (void)pthread_cond_signal(&file->filled);
    return put;
}

void line_file_reopen(struct line_file *file)
{
    lock(file);
    file->reopen = true;
    (void)pthread_cond_signal(&file->filled);
    unlock(file);
}

/* Under the lock. */
static void wait_until_written(struct line_file *file)
{
    uint64_t end_ns = clock_monotonic_ns() + STALL_MS * CLOCK_NS_PER_MS;
    struct timespec end = {.tv_sec = (time_t)(end_ns / CLOCK_NS_PER_SECOND),
                           .tv_nsec = (long)(end_ns % CLOCK_NS_PER_SECOND)};
    while (file->stopping ? !file->ended : file->queue.used > 0)
        if (pthread_cond_timedwait(&file->emptied, &file->mutex, &end) != 0)
            return;
}

void line_file_flush(struct line_file *file)
{
    lock(file);
    wait_until_written(file);
    unlock(file);
}

void line_file_close(struct line_file *file)
{
    if (file == NULL)
        return;
    lock(file);
    file->stopping = true;
    (void)pthread_cond_signal(&file->filled);
    wait_until_written(file);
    if (!file->ended) {
        atomic_store(&file->abandoned, true); /* what it does not write is lost, and counted */
        wait_until_written(file);
    }
    bool ended = file->ended;
    unlock(file);
    if (!ended) { /* in the kernel; it cannot be ended there, so what it uses is left to it */
        log_line("%s %s does not take its lines; not waiting", file->name, file->path);
        (void)pthread_detach(file->thread);
        return;
    }
    (void)pthread_join(file->thread, NULL);
    (void)pthread_cond_destroy(&file->filled);
    (void)pthread_cond_destroy(&file->emptied);
    (void)pthread_mutex_destroy(&file->mutex);
    free_file(file);
}

uint64_t line_file_dropped(struct line_file *file)
{
    lock(file);
    uint64_t dropped = file->dropped;
    unlock(file);
    return dropped;
}
