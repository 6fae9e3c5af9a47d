/*
 * Tests of base/log between log_start and log_stop: what arrives at a reader
 * that is quick, late or gone, and that nobody waits for one that is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "lib/failing.h"

#define DATE_BYTES (sizeof("2018/02/10 12:06:21 ") - 1)
#define TEXT_BYTES (1 << 24)
#define PIPE_BYTES 4096
#define LOST_MS 60000       /* so much later what did not come will not come */
#define STALLED_LINES 20000 /* more than the queue holds */
#define STALL_MS 1000       /* what the end of a log waits for its reader */
#define SHORT_MS 20000      /* the same on a slow machine */

FAILING_PTHREAD_CREATE
FAILING_PTHREAD_CONDATTR_INIT

/* A write of standard error, 3 bytes at a time and each second time interrupted, if that is on. */
static atomic_bool piecemeal;
static atomic_int writes;
ssize_t __real_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes);

ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
    if (fd != STDERR_FILENO)
        return __real_write(fd, data, bytes);
    int count = atomic_fetch_add(&writes, 1);
    if (piecemeal && count % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return __real_write(fd, data, piecemeal && bytes > 3 ? 3 : bytes);
}

struct fixture {
    int stderr_copy;
    int reader; /* of the pipe, or the file itself */
    uint64_t dropped_before;
    size_t bytes;                     /* that have been read */
    size_t scanned;                   /* of these */
    uint64_t seen, reports, reported; /* lines of LINE, reports, and what these say was dropped */
    unsigned last;                    /* number of a line */
    char text[TEXT_BYTES];
};

static void redirect(int fd)
{
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(close(fd), 0);
}

static void make_file(struct fixture *fixture)
{
    fixture->reader = memfd_create("log", MFD_CLOEXEC);
    assert_true(fixture->reader >= 0);
    int writer = dup(fixture->reader);
    assert_true(writer >= 0);
    redirect(writer);
}

static uint64_t ms_since(uint64_t begin_ns)
{
    return (clock_monotonic_ns() - begin_ns) / CLOCK_NS_PER_MS;
}

/* One that an earlier test has left behind may be about to end. */
static void start(void)
{
    uint64_t begin_ns = clock_monotonic_ns();
    int error;
    while ((error = log_start()) == -EBUSY) {
        assert_true(ms_since(begin_ns) < LOST_MS);
        (void)sched_yield();
    }
    assert_int_equal(error, 0);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (fixture == NULL || (fixture->stderr_copy = dup(STDERR_FILENO)) < 0)
        return -1;
    make_file(fixture);
    start();
    log_stop(); /* has reported what an earlier test has dropped */
    (void)close(fixture->reader);
    fixture->dropped_before = log_dropped();
    fixture->reader = -1;
    piecemeal = false;
    writes = 0;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    log_stop();
    int error = dup2(fixture->stderr_copy, STDERR_FILENO) < 0 ? -1 : 0;
    (void)close(fixture->stderr_copy);
    if (fixture->reader >= 0)
        (void)close(fixture->reader);
    free(fixture);
    return error;
}

/* Standard error is a pipe that holds PIPE_BYTES. */
static void make_pipe(struct fixture *fixture)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES), PIPE_BYTES);
    fixture->reader = ends[0];
    redirect(ends[1]);
}

/* So many bytes of the pipe; 0: its end. */
static size_t read_some(struct fixture *fixture, size_t most)
{
    size_t room = sizeof(fixture->text) - 1 - fixture->bytes;
    ssize_t bytes =
        read(fixture->reader, fixture->text + fixture->bytes, most < room ? most : room);
    assert_true(bytes >= 0);
    fixture->bytes += (size_t)bytes;
    fixture->text[fixture->bytes] = '\0';
    return (size_t)bytes;
}

static void read_file(struct fixture *fixture)
{
    ssize_t bytes = pread(fixture->reader, fixture->text, sizeof(fixture->text) - 1, 0);
    assert_true(bytes >= 0);
    fixture->bytes = (size_t)bytes;
    fixture->text[bytes] = '\0';
    fixture->scanned = fixture->seen = fixture->reports = fixture->reported = 0;
}

static uint64_t dropped(const struct fixture *fixture)
{
    return log_dropped() - fixture->dropped_before;
}

#define LINE "a line that is as long as one about a request: GET /get?id=some_identifier&offset=0"
#define REPORT_END " log lines were dropped: standard error did not take them"

static void log_lines(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        log_line(LINE " %u", i);
}

/* Counts the lines that are there as a whole and were not yet counted. Each has its own date, and
 * nothing of another. */
static void scan(struct fixture *fixture)
{
    char *end, *begin = fixture->text + fixture->scanned;
    while ((end = strchr(begin, '\n')) != NULL) {
        *end = '\0';
        const char *message = begin + DATE_BYTES;
        unsigned number;
        int bytes = -1;
        assert_int_equal(begin[DATE_BYTES - 1], ' ');
        if (strncmp(message, LINE, strlen(LINE)) == 0) {
            assert_int_equal(sscanf(message, LINE " %u%n", &number, &bytes), 1);
            assert_true(fixture->seen == 0 || number == 0 || number > fixture->last);
            fixture->last = number;
            fixture->seen++;
        } else {
            assert_int_equal(sscanf(message, "%u" REPORT_END "%n", &number, &bytes), 1);
            fixture->reports++;
            fixture->reported += number;
        }
        assert_ptr_equal(message + bytes, end);
        begin = end + 1;
    }
    fixture->scanned = (size_t)(begin - fixture->text);
}

static void read_until_seen(struct fixture *fixture, uint64_t lines)
{
    while (fixture->seen < lines) {
        assert_true(read_some(fixture, TEXT_BYTES) > 0);
        scan(fixture);
    }
    assert_int_equal(fixture->seen, lines);
}

static void wait_for_input(const struct fixture *fixture)
{
    struct pollfd pipe_end = {.fd = fixture->reader, .events = POLLIN};
    assert_int_equal(poll(&pipe_end, 1, LOST_MS), 1);
}

/* A flush that gives up has waited for STALL_MS, and the machine is busy. */
static void flush(void)
{
    uint64_t begin_ns = clock_monotonic_ns(), flush_ns;
    do {
        assert_true(ms_since(begin_ns) < LOST_MS);
        flush_ns = clock_monotonic_ns();
        log_flush();
    } while (ms_since(flush_ns) >= STALL_MS);
}

static void lines_arrive_whole_and_in_order(void **state)
{
    struct fixture *fixture = *state;
    make_file(fixture);
    start();
    log_lines(5000);
    flush();
    log_stop();
    read_file(fixture);
    scan(fixture);
    assert_int_equal(fixture->seen, 5000);
    assert_int_equal(fixture->last, 5000 - 1);
    assert_int_equal(dropped(fixture), 0);
}

static void many_lines_are_one_write(void **state)
{
    struct fixture *fixture = *state;
    make_pipe(fixture);
    start();
    log_lines(1000); /* most of them wait for the reader */
    read_until_seen(fixture, 1000);
    assert_in_range(writes, 1, 1000 / 2);
}

#define THREADS 4
#define LINES 2000

static void *log_many(void *name)
{
    for (int i = 0; i < LINES; i++)
        log_line("%s %d", (const char *)name, i);
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    struct fixture *fixture = *state;
    static char names[THREADS][2] = {"a", "b", "c", "d"};
    int next[THREADS] = {0};
    pthread_t threads[THREADS];
    make_file(fixture);
    start();
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, names[i]), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    flush();
    read_file(fixture);
    int lines = 0;
    for (char *save, *line = strtok_r(fixture->text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save), lines++) {
        char name;
        int i;
        assert_int_equal(sscanf(line + DATE_BYTES, "%c %d", &name, &i), 2);
        assert_in_range(name, 'a', 'a' + THREADS - 1);
        assert_int_equal(i, next[name - 'a']++);
    }
    assert_int_equal(lines, THREADS * LINES);
}

/* Nobody reads until all is logged; then seen and dropped are all. The log goes on after it. */
static void a_late_reader_is_told_what_it_has_missed(void **state)
{
    struct fixture *fixture = *state;
    make_pipe(fixture);
    start();
    log_lines(STALLED_LINES);
    assert_in_range(dropped(fixture), 1, STALLED_LINES - 1);
    while (fixture->reports == 0) {
        assert_true(read_some(fixture, TEXT_BYTES) > 0);
        scan(fixture);
    }
    assert_int_equal(fixture->seen + fixture->reported, STALLED_LINES);
    assert_int_equal(fixture->reported, dropped(fixture));

    log_line(LINE " %d", STALLED_LINES);
    read_until_seen(fixture, fixture->seen + 1);
    assert_int_equal(fixture->last, STALLED_LINES);
    assert_int_equal(fixture->reports, 1);
    assert_int_equal(fixture->reported, dropped(fixture));
}

static void until_all_is_written_no_more_is_taken(void **state)
{
    struct fixture *fixture = *state;
    make_pipe(fixture);
    start();
    log_lines(STALLED_LINES);
    uint64_t before = dropped(fixture);
    (void)read_some(fixture, PIPE_BYTES); /* there is room for some again */
    log_line("one more");
    log_line("and one more");
    assert_int_equal(dropped(fixture), before + 2);
}

static void stopping_does_not_wait_for_a_reader_that_stalls(void **state)
{
    struct fixture *fixture = *state;
    int in_pipe;
    make_pipe(fixture);
    start();
    log_lines(2000); /* they fit into the queue */
    wait_for_input(fixture);
    uint64_t begin_ns = clock_monotonic_ns();
    log_flush();
    log_stop();
    assert_in_range(ms_since(begin_ns), 2 * STALL_MS, 2 * SHORT_MS);
    /* What the pipe has taken was not dropped, all the rest was. */
    assert_int_equal(ioctl(fixture->reader, FIONREAD, &in_pipe), 0);
    assert_int_equal(read_some(fixture, (size_t)in_pipe), in_pipe);
    scan(fixture);
    assert_int_equal(fixture->seen + dropped(fixture), 2000);
    assert_in_range(fixture->seen, 1, 2000 - 1);

    /* The thread that was left behind ends when the reader comes; then another may start. */
    start();
    log_line(LINE " %d", 2000);
    while (fixture->last != 2000) {
        assert_true(read_some(fixture, TEXT_BYTES) > 0);
        scan(fixture);
    }
}

static void a_thread_left_behind_allows_no_other(void **state)
{
    struct fixture *fixture = *state;
    make_pipe(fixture);
    start();
    log_lines(2000);
    wait_for_input(fixture);
    log_stop();
    assert_int_equal(log_start(), -EBUSY);
    log_stop(); /* of what was not started: nothing */
    uint64_t before = dropped(fixture), begin_ns = clock_monotonic_ns();
    log_line("by its caller, who waits a little");
    assert_in_range(ms_since(begin_ns), STALL_MS, SHORT_MS);
    assert_int_equal(dropped(fixture), before + 1);
    (void)read_some(fixture, TEXT_BYTES);
    start();
}

static void a_caller_without_the_thread_waits_a_little(void **state)
{
    struct fixture *fixture = *state;
    make_pipe(fixture);
    unsigned lines = 0;
    while (dropped(fixture) == 0) {
        log_line(LINE " %u", lines++);
        assert_true(lines < PIPE_BYTES);
    }
    assert_true(lines > 1);
    (void)read_some(fixture, TEXT_BYTES);
    log_line(LINE " %u", lines);
    read_until_seen(fixture, lines);
}

static void flushing_writes_what_is_queued(void **state)
{
    struct fixture *fixture = *state;
    make_file(fixture);
    log_flush(); /* nothing to do */
    start();
    for (unsigned count = 1; count <= 5000; count += 555) {
        log_lines(555);
        flush();
        read_file(fixture);
        scan(fixture);
        assert_int_equal(fixture->seen, count + 554);
    }
}

/* As with a log on a disk that is full. */
static void lines_that_fail_are_counted_and_reported_once_one_is_written(void **state)
{
    struct fixture *fixture = *state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    redirect(full);
    start();
    for (unsigned i = 0; i < 3; i++) {
        log_lines(1);
        flush();
    }
    log_stop();
    assert_int_equal(dropped(fixture), 3);
    assert_in_range(writes, 3, 2 * 3); /* a line, and then a report that fails as well */
    start();
    make_file(fixture); /* now there is room */
    log_lines(1);
    uint64_t begin_ns = clock_monotonic_ns();
    do {
        assert_true(ms_since(begin_ns) < LOST_MS);
        read_file(fixture);
        scan(fixture);
    } while (fixture->seen == 0 || fixture->reports == 0);
    assert_int_equal(fixture->seen, 1);
    assert_int_equal(fixture->reports, 1);
    assert_int_equal(fixture->reported, 3);
    assert_int_equal(dropped(fixture), 3);
}

static void a_reader_that_is_gone_is_borne(void **state)
{
    struct fixture *fixture = *state;
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    make_pipe(fixture);
    assert_int_equal(close(fixture->reader), 0);
    fixture->reader = -1;
    start();
    log_lines(10);
    log_stop();
    assert_int_equal(dropped(fixture), 10);
    (void)signal(SIGPIPE, before);
}

static void short_and_interrupted_writes_go_on(void **state)
{
    struct fixture *fixture = *state;
    make_file(fixture);
    piecemeal = true;
    log_lines(2);
    start();
    log_lines(100);
    flush();
    log_stop();
    read_file(fixture);
    scan(fixture);
    assert_int_equal(fixture->seen, 102);
    assert_int_equal(dropped(fixture), 0);
}

/* Another process that has the same terminal or pipe may have made it so. */
static void a_pipe_that_does_not_block_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    make_pipe(fixture);
    assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK), 0);
    start();
    log_lines(2000);
    read_until_seen(fixture, 2000);
    assert_int_equal(dropped(fixture), 0);
    log_stop();
    while (dropped(fixture) == 0)
        log_lines(1); /* without the thread: as with one that blocks */
}

static void a_start_that_fails_leaves_the_log_as_it_was(void **state)
{
    struct fixture *fixture = *state;
    make_file(fixture);
    start();
    log_stop();
    failing_arm(&fail_pthread_create, 1, EAGAIN);
    assert_int_equal(log_start(), -EAGAIN);
    assert_true(failing_disarm(&fail_pthread_create));
    log_lines(1);
    read_file(fixture);
    scan(fixture);
    assert_int_equal(fixture->seen, 1);
    start();
    assert_int_equal(log_start(), -EBUSY);
}

/* In the first start of a process only: what it makes is kept. */
static void a_first_start_without_memory(void **state)
{
    (void)state;
    failing_arm(&fail_pthread_condattr_init, 1, ENOMEM);
    assert_int_equal(log_start(), -ENOMEM);
    assert_true(failing_disarm(&fail_pthread_condattr_init));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_start_without_memory),
        TEST(lines_arrive_whole_and_in_order),
        TEST(many_lines_are_one_write),
        TEST(lines_of_threads_do_not_mix),
        TEST(a_late_reader_is_told_what_it_has_missed),
        TEST(until_all_is_written_no_more_is_taken),
        TEST(stopping_does_not_wait_for_a_reader_that_stalls),
        TEST(a_thread_left_behind_allows_no_other),
        TEST(a_caller_without_the_thread_waits_a_little),
        TEST(flushing_writes_what_is_queued),
        TEST(lines_that_fail_are_counted_and_reported_once_one_is_written),
        TEST(a_reader_that_is_gone_is_borne),
        TEST(short_and_interrupted_writes_go_on),
        TEST(a_pipe_that_does_not_block_is_waited_for),
        TEST(a_start_that_fails_leaves_the_log_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
