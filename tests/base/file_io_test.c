/*
 * Tests of base/file_io: pread and pwrite are given to it piece by piece, interrupted, and failing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file_io.h"
#include "lib/failing.h"
#include "lib/temporary.h"

#define FILE_BYTES 1000

/* No call moves more than so many bytes. */
static size_t piece_bytes = SIZE_MAX;
/* From call number `zero_from` on pwrite writes nothing; 0: never. */
static int zero_from;
static int calls;

static struct failing fail_pread, fail_pwrite;

ssize_t __real_pread64(int fd, void *data, size_t bytes, off_t offset);
ssize_t __wrap_pread64(int fd, void *data, size_t bytes, off_t offset);
ssize_t __real_pwrite64(int fd, const void *data, size_t bytes, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t bytes, off_t offset);

static size_t piece(size_t bytes)
{
    return bytes < piece_bytes ? bytes : piece_bytes;
}

ssize_t __wrap_pread64(int fd, void *data, size_t bytes, off_t offset)
{
    calls++;
    return failing_now(&fail_pread) ? -1 : __real_pread64(fd, data, piece(bytes), offset);
}

ssize_t __wrap_pwrite64(int fd, const void *data, size_t bytes, off_t offset)
{
    calls++;
    if (zero_from != 0 && calls >= zero_from)
        return 0;
    return failing_now(&fail_pwrite) ? -1 : __real_pwrite64(fd, data, piece(bytes), offset);
}

struct fixture {
    void *directory;
    int fd;
    char pattern[FILE_BYTES];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (fixture == NULL || temporary_make(&fixture->directory) != 0)
        return -1;
    for (size_t i = 0; i < FILE_BYTES; i++)
        fixture->pattern[i] = (char)(i * 7 + i / 256);
    const char *path = temporary_path(fixture->directory, "file");
    fixture->fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    piece_bytes = SIZE_MAX;
    zero_from = 0;
    calls = 0;
    *state = fixture;
    return fixture->fd >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    int error = close(fixture->fd);
    if (temporary_remove(&fixture->directory) != 0)
        error = -1;
    free(fixture);
    return error;
}

static void fill(struct fixture *fixture)
{
    assert_int_equal(__real_pwrite64(fixture->fd, fixture->pattern, FILE_BYTES, 0), FILE_BYTES);
}

static void reads_at_an_offset(void **state)
{
    struct fixture *fixture = *state;
    char data[FILE_BYTES];
    fill(fixture);
    assert_int_equal(file_read_at(fixture->fd, data, 500, 300), 500);
    assert_memory_equal(data, fixture->pattern + 300, 500);
    assert_int_equal(calls, 1);
    assert_int_equal(file_read_exactly(fixture->fd, data, FILE_BYTES, 0), 0);
    assert_memory_equal(data, fixture->pattern, FILE_BYTES);
    assert_int_equal(calls, 2);
}

static void reads_on_after_short_reads(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    for (piece_bytes = 1; piece_bytes < 10; piece_bytes++) {
        char data[300] = "";
        calls = 0;
        assert_int_equal(file_read_at(fixture->fd, data, sizeof(data), 111), sizeof(data));
        assert_memory_equal(data, fixture->pattern + 111, sizeof(data));
        assert_int_equal(calls, (sizeof(data) + piece_bytes - 1) / piece_bytes);
    }
}

static void reads_to_the_end_of_the_file(void **state)
{
    struct fixture *fixture = *state;
    char data[FILE_BYTES];
    fill(fixture);
    for (piece_bytes = 3; piece_bytes < 200; piece_bytes += 97) {
        memset(data, 'x', sizeof(data));
        assert_int_equal(file_read_at(fixture->fd, data, 200, FILE_BYTES - 150), 150);
        assert_memory_equal(data, fixture->pattern + FILE_BYTES - 150, 150);
        assert_int_equal(data[150], 'x');
        assert_int_equal(file_read_exactly(fixture->fd, data, 200, FILE_BYTES - 150), -ENODATA);
        assert_int_equal(file_read_exactly(fixture->fd, data, 150, FILE_BYTES - 150), 0);
    }
    assert_int_equal(file_read_at(fixture->fd, data, 1, FILE_BYTES), 0);
    assert_int_equal(file_read_at(fixture->fd, data, 1, FILE_BYTES + 1000), 0);
    assert_int_equal(file_read_exactly(fixture->fd, data, 1, FILE_BYTES), -ENODATA);
}

static void reads_nothing_without_a_call(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(file_read_at(fixture->fd, NULL, 0, 0), 0);
    assert_int_equal(file_read_exactly(fixture->fd, NULL, 0, 0), 0);
    assert_int_equal(file_write_at(fixture->fd, NULL, 0, 0), 0);
    assert_int_equal(calls, 0);
}

/* Each call of a read in ten pieces is interrupted once, or fails. */
static void interrupted_and_failing_reads(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    piece_bytes = 10;
    for (int nth = 1; nth <= 10; nth++) {
        char data[100] = "";
        failing_arm(&fail_pread, nth, EINTR);
        assert_int_equal(file_read_at(fixture->fd, data, 100, 50), 100);
        assert_true(failing_disarm(&fail_pread));
        assert_memory_equal(data, fixture->pattern + 50, 100);
        failing_arm(&fail_pread, nth, EIO);
        assert_int_equal(file_read_at(fixture->fd, data, 100, 50), -EIO);
        assert_true(failing_disarm(&fail_pread));
        failing_arm(&fail_pread, nth, ESTALE);
        assert_int_equal(file_read_exactly(fixture->fd, data, 100, 50), -ESTALE);
        assert_true(failing_disarm(&fail_pread));
    }
}

static void writes_at_an_offset(void **state)
{
    struct fixture *fixture = *state;
    char data[FILE_BYTES];
    static const char zeros[100];
    assert_int_equal(file_write_at(fixture->fd, fixture->pattern, 500, 100), 0);
    assert_int_equal(calls, 1);
    assert_int_equal(__real_pread64(fixture->fd, data, FILE_BYTES, 0), 600);
    assert_memory_equal(data, zeros, 100);
    assert_memory_equal(data + 100, fixture->pattern, 500);
}

static void writes_on_after_short_writes(void **state)
{
    struct fixture *fixture = *state;
    for (piece_bytes = 1; piece_bytes < 10; piece_bytes++) {
        char data[FILE_BYTES] = "";
        calls = 0;
        assert_int_equal(ftruncate(fixture->fd, 0), 0);
        assert_int_equal(file_write_at(fixture->fd, fixture->pattern, 300, 7), 0);
        assert_int_equal(calls, (300 + piece_bytes - 1) / piece_bytes);
        assert_int_equal(__real_pread64(fixture->fd, data, FILE_BYTES, 0), 307);
        assert_memory_equal(data + 7, fixture->pattern, 300);
    }
}

static void interrupted_and_failing_writes(void **state)
{
    struct fixture *fixture = *state;
    piece_bytes = 10;
    for (int nth = 1; nth <= 10; nth++) {
        char data[FILE_BYTES] = "";
        assert_int_equal(ftruncate(fixture->fd, 0), 0);
        failing_arm(&fail_pwrite, nth, EINTR);
        assert_int_equal(file_write_at(fixture->fd, fixture->pattern, 100, 0), 0);
        assert_true(failing_disarm(&fail_pwrite));
        assert_int_equal(__real_pread64(fixture->fd, data, FILE_BYTES, 0), 100);
        assert_memory_equal(data, fixture->pattern, 100);
        assert_int_equal(ftruncate(fixture->fd, 0), 0);
        failing_arm(&fail_pwrite, nth, ENOSPC);
        assert_int_equal(file_write_at(fixture->fd, fixture->pattern, 100, 0), -ENOSPC);
        assert_true(failing_disarm(&fail_pwrite));
        /* what was written before stays */
        assert_int_equal(__real_pread64(fixture->fd, data, FILE_BYTES, 0), (nth - 1) * 10);
    }
}

/* A write that moves nothing and says no reason would otherwise be tried for ever. */
static void writes_that_move_nothing(void **state)
{
    struct fixture *fixture = *state;
    piece_bytes = 10;
    for (zero_from = 1; zero_from <= 10; zero_from++) {
        calls = 0;
        assert_int_equal(file_write_at(fixture->fd, fixture->pattern, 100, 0), -EIO);
        assert_int_equal(calls, zero_from);
    }
}

static void descriptors_that_cannot_be_used(void **state)
{
    struct fixture *fixture = *state;
    char data[1];
    int read_only = open(temporary_path(fixture->directory, "file"), O_RDONLY);
    assert_true(read_only >= 0);
    assert_int_equal(file_write_at(read_only, "x", 1, 0), -EBADF);
    assert_int_equal(close(read_only), 0);
    assert_int_equal(file_read_at(read_only, data, 1, 0), -EBADF);
    assert_int_equal(file_read_exactly(read_only, data, 1, 0), -EBADF);
    assert_int_equal(file_read_at(fixture->fd, data, 1, -1), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_at_an_offset),
        TEST(reads_on_after_short_reads),
        TEST(reads_to_the_end_of_the_file),
        TEST(reads_nothing_without_a_call),
        TEST(interrupted_and_failing_reads),
        TEST(writes_at_an_offset),
        TEST(writes_on_after_short_writes),
        TEST(interrupted_and_failing_writes),
        TEST(writes_that_move_nothing),
        TEST(descriptors_that_cannot_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
