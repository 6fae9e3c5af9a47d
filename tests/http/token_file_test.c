/*
 * Tests of http/token_file: a file is taken whole or not at all, and what is wrong is told with its
 * name. The calls that read it fail one by one, and the file changes while it is read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/right.h"
#include "http/token_file.h"
#include "lib/failing.h"
#include "lib/temporary.h"

#define LINE "abcdefghijklmnop read\n"

static struct failing fail_pread64;
/* What happens to the file before it is read. */
static void (*meanwhile)(void);
static char path[TEMPORARY_PATH_BYTES];

FAILING_FSTAT64
FAILING_MALLOC

ssize_t __real_pread64(int fd, void *data, size_t bytes, off64_t offset);
ssize_t __wrap_pread64(int fd, void *data, size_t bytes, off64_t offset);

/* No more than 10 bytes at a time. */
ssize_t __wrap_pread64(int fd, void *data, size_t bytes, off64_t offset)
{
    if (meanwhile != NULL) {
        meanwhile();
        meanwhile = NULL;
    }
    return failing_now(&fail_pread64) ? -1
                                      : __real_pread64(fd, data, bytes < 10 ? bytes : 10, offset);
}

static void write_file(const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static int set_up(void **state)
{
    if (temporary_make(state) != 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s", temporary_path(*state, "tokens"));
    meanwhile = NULL;
    return 0;
}

static void assert_refused(const char *expected)
{
    char why[TOKEN_FILE_WHY_BYTES], line[TOKEN_FILE_WHY_BYTES];
    assert_null(token_file_read(path, why));
    (void)snprintf(line, sizeof(line), "%s%s", path, expected);
    assert_string_equal(why, line);
}

static void whole_file_is_read(void **state)
{
    char why[TOKEN_FILE_WHY_BYTES];
    (void)state;
    write_file("# a comment that is longer than a read\n" LINE);
    struct tokens *tokens = token_file_read(path, why);
    assert_non_null(tokens);
    const struct token_grant *grant = tokens_find(tokens, "abcdefghijklmnop", 16);
    assert_non_null(grant);
    assert_int_equal(grant->rights, RIGHT_READ);
    tokens_free(tokens);
}

static void line_of_a_fault_is_named(void **state)
{
    (void)state;
    write_file(LINE "\n" LINE);
    assert_refused(":3: the same token as in line 1");
    write_file("");
    assert_refused(":1: there is no token");
}

static void failing_calls_are_told(void **state)
{
    (void)state;
    assert_refused(": No such file or directory");
    write_file(LINE);
    for (int nth = 1; nth <= 2; nth++) {
        failing_arm(&fail_fstat64, nth, EIO);
        assert_refused(": Input/output error");
        assert_true(failing_disarm(&fail_fstat64));
    }
    for (int nth = 1; nth <= 3; nth++) {
        failing_arm(&fail_pread64, nth, ESTALE);
        assert_refused(": Stale file handle");
        assert_true(failing_disarm(&fail_pread64));
    }
    failing_arm(&fail_malloc, 1, ENOMEM);
    assert_refused(": out of memory");
    assert_true(failing_disarm(&fail_malloc));
}

static void interrupted_read_goes_on(void **state)
{
    char why[TOKEN_FILE_WHY_BYTES];
    (void)state;
    write_file(LINE);
    failing_arm(&fail_pread64, 2, EINTR);
    struct tokens *tokens = token_file_read(path, why);
    assert_true(failing_disarm(&fail_pread64));
    assert_non_null(tokens);
    tokens_free(tokens);
}

static void grow(void)
{
    write_file(LINE "ponmlkjihgfedcba read\n");
}

static void shrink(void)
{
    write_file("");
}

/* The same size, another time. */
static void rewrite(void)
{
    static const struct timespec times[] = {{1000000000, 0}, {1000000000, 0}};
    write_file(LINE);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void one_that_changes_meanwhile_is_refused(void **state)
{
    static void (*const changes[])(void) = {grow, shrink, rewrite};
    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        write_file(LINE);
        meanwhile = changes[i];
        assert_refused(": it changed while it was read");
    }
}

static void largest_file(void **state)
{
    char *text = malloc(TOKEN_FILE_BYTES_MAX + 2);
    char why[TOKEN_FILE_WHY_BYTES];
    (void)state;
    assert_non_null(text);
    memset(text, '#', TOKEN_FILE_BYTES_MAX + 1);
    memcpy(text, LINE, strlen(LINE));
    text[TOKEN_FILE_BYTES_MAX - 1] = '\n';
    text[TOKEN_FILE_BYTES_MAX] = '\0';
    write_file(text);
    struct tokens *tokens = token_file_read(path, why);
    assert_non_null(tokens);
    tokens_free(tokens);
    memcpy(text + TOKEN_FILE_BYTES_MAX - 1, "#\n", 3);
    write_file(text);
    assert_refused(": it is over 512 KiB");
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, temporary_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whole_file_is_read),
        TEST(line_of_a_fault_is_named),
        TEST(failing_calls_are_told),
        TEST(interrupted_read_goes_on),
        TEST(one_that_changes_meanwhile_is_refused),
        TEST(largest_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
