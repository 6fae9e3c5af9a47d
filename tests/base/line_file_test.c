/*
 * Tests of base/line_file: no line is lost by a rename and a reopen, those that are lost are
 * counted, and nobody waits for the file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/line_file.h"
#include "lib/failing.h"
#include "lib/temporary.h"

#define NAME "the test's log"
#define TEXT_BYTES (1 << 20)
#define LONG_BYTES 4000
#define STALLED_LINES 2000 /* of LONG_BYTES: more than the queue and a pipe hold */
#define ROTATIONS 20
#define LINES 20000
#define FIRST_BYTES 9

FAILING_MALLOC
FAILING_CALLOC
FAILING_FSTAT64
FAILING_PTHREAD_CREATE
FAILING_PTHREAD_MUTEX_INIT
FAILING_PTHREAD_CONDATTR_INIT

/* Of files but standard error: the next write is of so many bytes only, if that is not 0, and
 * those after it fail with ENOSPC until `full` is off. */
static atomic_size_t first_bytes;
static atomic_bool full;
ssize_t __real_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes);

ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
    size_t first = fd == STDERR_FILENO ? 0 : atomic_exchange(&first_bytes, 0);
    if (first > 0)
        return __real_write(fd, data, first < bytes ? first : bytes);
    if (fd != STDERR_FILENO && full) {
        errno = ENOSPC;
        return -1;
    }
    return __real_write(fd, data, bytes);
}

static char path[TEMPORARY_PATH_BYTES], other[TEMPORARY_PATH_BYTES + 16];
static char text[TEXT_BYTES];

static int make_paths(void **state)
{
    int error = temporary_make(state);
    (void)snprintf(path, sizeof(path), "%s", temporary_path(*state, "lines"));
    (void)snprintf(other, sizeof(other), "%s", temporary_path(*state, "other"));
    return error;
}

static const char *read_text(const char *name)
{
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    return text;
}

static struct line_file *open_file(void)
{
    struct line_file *file;
    assert_int_equal(line_file_open(path, 0640, NAME, &file), 0);
    return file;
}

static void put(struct line_file *file, const char *line)
{
    assert_true(line_file_put(file, line, strlen(line)));
}

/* All that was put is written: a flush alone may end after a second. */
static void settle(struct line_file *file)
{
    for (unsigned i = 0; i < 60; i++)
        line_file_flush(file);
}

static void test_lines_are_added(void **state)
{
    struct stat status;
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct line_file *file = open_file();
        put(file, i == 0 ? "one\n" : "three\n");
        settle(file);
        assert_string_equal(read_text(path), i == 0 ? "one\n" : "one\ntwo\nthree\n");
        if (i == 0)
            put(file, "two\n");
        assert_int_equal(line_file_dropped(file), 0);
        line_file_close(file);
    }
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & ACCESSPERMS & ~0640U, 0);
}

static void wait_for_file(const char *name)
{
    while (access(name, F_OK) != 0)
        (void)usleep(1000);
}

static void test_a_reopen_goes_to_the_path(void **state)
{
    (void)state;
    struct line_file *file = open_file();
    put(file, "one\n");
    settle(file);
    assert_int_equal(rename(path, other), 0);
    put(file, "two\n");
    settle(file);
    line_file_reopen(file);
    wait_for_file(path);
    put(file, "three\n");
    line_file_close(file);
    assert_string_equal(read_text(other), "one\ntwo\n");
    assert_string_equal(read_text(path), "three\n");
}

/* All lines that were put, in order, whatever was renamed meanwhile. */
static void test_no_line_is_lost_by_reopening(void **state)
{
    char line[32], *at;
    unsigned next = 0, rotation = 0;
    struct line_file *file = open_file();
    for (unsigned i = 0; i < LINES; i++) {
        (void)snprintf(line, sizeof(line), "%u\n", i);
        while (!line_file_put(file, line, strlen(line))) /* the queue is larger than all of them */
            fail();
        if (i % (LINES / ROTATIONS) != 0)
            continue;
        (void)snprintf(other, sizeof(other), "%s.%u", path, rotation++);
        assert_int_equal(rename(path, other), 0);
        line_file_reopen(file);
        wait_for_file(path);
    }
    line_file_close(file);
    for (unsigned i = 0; i <= rotation; i++) {
        (void)snprintf(other, sizeof(other), i < rotation ? "%s.%u" : "%s", path, i);
        (void)read_text(other);
        for (at = text; *at != '\0'; at = strchr(at, '\n') + 1)
            assert_int_equal(strtoul(at, NULL, 10), next++);
    }
    assert_int_equal(next, LINES);
    (void)state;
}

static void test_what_cannot_be_opened_again_stays(void **state)
{
    (void)state;
    struct line_file *file = open_file();
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    line_file_reopen(file);
    put(file, "one\n");
    line_file_close(file);
    assert_string_equal(read_text(other), "one\n");
}

/* The disk is full in the middle of the second line. */
static void test_lost_lines_are_counted(void **state)
{
    (void)state;
    struct line_file *file = open_file();
    full = true;
    atomic_store(&first_bytes, FIRST_BYTES);
    put(file, "first\nsecond\nthird\n"); /* at once, so that they are one write */
    settle(file);
    assert_int_equal(line_file_dropped(file), 2);
    put(file, "fourth\n");
    settle(file);
    assert_int_equal(line_file_dropped(file), 3);
    full = false;
    put(file, "fifth\n");
    line_file_close(file);
    assert_string_equal(read_text(path), "first\nsec\nfifth\n");
}

static void test_nobody_waits_for_a_pipe(void **state)
{
    static char line[LONG_BYTES + 1];
    uint64_t taken = 0, lines = 0;
    (void)state;
    memset(line, 'x', LONG_BYTES - 1);
    line[LONG_BYTES - 1] = '\n';
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    struct line_file *file = open_file();
    for (unsigned i = 0; i < STALLED_LINES; i++)
        taken += line_file_put(file, line, LONG_BYTES);
    assert_true(taken > 0 && taken < STALLED_LINES);
    assert_int_equal(line_file_dropped(file), STALLED_LINES - taken);
    /* when all is read there is room again */
    do {
        ssize_t bytes = read(reader, text, sizeof(text));
        assert_true(bytes > 0 || errno == EAGAIN);
        for (ssize_t i = 0; i < bytes; i++)
            lines += text[i] == '\n';
    } while (lines < taken);
    line_file_flush(file);
    while (!line_file_put(file, "last\n", 5))
        line_file_flush(file);
    settle(file);
    assert_int_equal(read(reader, text, sizeof(text)), 5);
    assert_memory_equal(text, "last\n", 5);
    /* and a close does not wait either */
    uint64_t before = line_file_dropped(file);
    for (unsigned i = 0; i < 100; i++)
        assert_true(line_file_put(file, line, LONG_BYTES));
    assert_int_equal(line_file_dropped(file), before);
    line_file_close(file);
    assert_int_equal(close(reader), 0);
}

static void expect_open_error(int error)
{
    struct line_file *file;
    assert_int_equal(line_file_open(path, 0600, NAME, &file), error);
}

static void test_what_cannot_be_opened(void **state)
{
    char good[sizeof(path)];
    memcpy(good, path, sizeof(path));
    (void)snprintf(path, sizeof(path), "%s", temporary_path(*state, "none/lines"));
    expect_open_error(-ENOENT);
    (void)snprintf(path, sizeof(path), "%s", (const char *)*state);
    expect_open_error(-EISDIR);
    memcpy(path, good, sizeof(path));
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_open_error(-ENXIO); /* nobody reads it */
    assert_string_equal(line_file_error_text(-ENXIO), "a pipe that nobody reads, or a socket");
    assert_string_equal(line_file_error_text(-ENOSPC), strerror(ENOSPC));
}

static void test_each_step_of_opening_may_fail(void **state)
{
    static struct {
        struct failing *call;
        int error;
    } steps[] = {{&fail_calloc, -ENOMEM},
                 {&fail_malloc, -ENOMEM},
                 {&fail_pthread_mutex_init, -ENOMEM},
                 {&fail_pthread_condattr_init, -ENOMEM},
                 {&fail_fstat64, -EIO},
                 {&fail_pthread_create, -EAGAIN}};
    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        failing_arm(steps[i].call, 1, -steps[i].error);
        expect_open_error(steps[i].error);
        assert_true(failing_disarm(steps[i].call));
    }
    line_file_close(open_file());
    line_file_close(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_paths, temporary_remove)
    const struct CMUnitTest tests[] = {
        TEST(test_lines_are_added),
        TEST(test_a_reopen_goes_to_the_path),
        TEST(test_no_line_is_lost_by_reopening),
        TEST(test_what_cannot_be_opened_again_stays),
        TEST(test_lost_lines_are_counted),
        TEST(test_nobody_waits_for_a_pipe),
        TEST(test_what_cannot_be_opened),
        TEST(test_each_step_of_opening_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
