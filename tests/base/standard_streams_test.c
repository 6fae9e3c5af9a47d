/*
 * Tests of base/standard_streams, in processes of which each combination of
 * the three is closed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/standard_streams.h"

/* In a child: it has no standard error to report on, so it ends with the line of the failure. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            _exit(__LINE__ > 255 ? 255 : __LINE__);                                                \
    } while (0)

static void close_and_check(unsigned closed)
{
    struct stat before[3], after, null;
    char byte = 'x';
    REQUIRE(stat("/dev/null", &null) == 0);
    for (int fd = 0; fd < 3; fd++) {
        REQUIRE(fstat(fd, &before[fd]) == 0);
        if ((closed & 1U << fd) != 0)
            REQUIRE(close(fd) == 0);
    }
    REQUIRE(standard_streams_open() == 0);
    for (int fd = 0; fd < 3; fd++) {
        REQUIRE(fstat(fd, &after) == 0);
        if ((closed & 1U << fd) == 0) {
            REQUIRE(after.st_dev == before[fd].st_dev && after.st_ino == before[fd].st_ino);
            continue;
        }
        REQUIRE(after.st_rdev == null.st_rdev && S_ISCHR(after.st_mode));
        ssize_t moved = fd == STDIN_FILENO ? read(fd, &byte, 1) : write(fd, &byte, 1);
        REQUIRE(moved == -1 && errno == EBADF);
        REQUIRE(fcntl(fd, F_GETFD) == 0); /* a program that this one runs has it too */
    }
    REQUIRE(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) > STDERR_FILENO);
    _exit(0);
}

static void none_leaves_its_number_to_a_file(void **state)
{
    (void)state;
    for (unsigned closed = 0; closed < 8; closed++) {
        int status;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            close_and_check(closed);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("closed %u: status %x, line %d", closed, (unsigned)status,
                     WEXITSTATUS(status));
    }
}

static void a_failure_is_returned(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
        REQUIRE(close(STDERR_FILENO) == 0);
        REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
        REQUIRE(standard_streams_open() == -EMFILE);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_leaves_its_number_to_a_file),
        cmocka_unit_test(a_failure_is_returned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
