/*
 * Tests of base/log: what arrives at standard error, which is a file here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "base/log.h"
#include "lib/failing.h"
#include "lib/temporary.h"

#define LINE_BYTES_MAX 2048
#define DATE_BYTES (sizeof("2018/02/10 12:06:21 ") - 1)

FAILING(localtime_r, struct tm *, NULL, (const time_t *clock, struct tm *local), (clock, local))

static atomic_int writes;
ssize_t __real_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes);

ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
    if (fd == STDERR_FILENO)
        atomic_fetch_add(&writes, 1);
    return __real_write(fd, data, bytes);
}

struct fixture {
    void *directory;
    int stderr_copy;
    char text[1 << 20];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (fixture == NULL || temporary_make(&fixture->directory) != 0)
        return -1;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    int error = temporary_remove(&fixture->directory);
    free(fixture);
    return error;
}

static void capture(struct fixture *fixture)
{
    const char *path = temporary_path(fixture->directory, "log");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    assert_true(fd >= 0);
    fixture->stderr_copy = dup(STDERR_FILENO);
    assert_true(fixture->stderr_copy >= 0);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(close(fd), 0);
    writes = 0;
}

static void restore(const struct fixture *fixture)
{
    assert_int_equal(dup2(fixture->stderr_copy, STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(close(fixture->stderr_copy), 0);
}

/* What was logged since capture(). */
static const char *captured(struct fixture *fixture)
{
    restore(fixture);
    int fd = open(temporary_path(fixture->directory, "log"), O_RDONLY);
    assert_true(fd >= 0);
    ssize_t bytes = read(fd, fixture->text, sizeof(fixture->text) - 1);
    assert_true(bytes >= 0);
    fixture->text[bytes] = '\0';
    assert_int_equal(close(fd), 0);
    return fixture->text;
}

static void assert_matches(const char *text, const char *pattern)
{
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    if (regexec(&regex, text, 0, NULL, 0) != 0)
        fail_msg("\"%s\" does not match %s", text, pattern);
    regfree(&regex);
}

static void a_line_has_date_time_and_message(void **state)
{
    struct fixture *fixture = *state;
    struct tm local = {.tm_isdst = -1};
    time_t before = time(NULL);
    capture(fixture);
    log_line("%d of %s", 3, "five");
    const char *text = captured(fixture);
    assert_int_equal(writes, 1);
    assert_matches(text, "^[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} 3 of five\n$");
    assert_non_null(strptime(text, "%Y/%m/%d %H:%M:%S ", &local));
    assert_in_range(mktime(&local), before, time(NULL));
}

/* Those from 0x80 on are not UTF-8 in this order. */
static void control_characters_do_not_pass(void **state)
{
    struct fixture *fixture = *state;
    char all[256], wanted[256];
    for (int i = 1; i < 256; i++) {
        all[i - 1] = (char)i;
        wanted[i - 1] = i < ' ' || i >= 0x7f ? '?' : (char)i;
    }
    all[255] = wanted[255] = '\0';
    capture(fixture);
    log_line("%s", all);
    const char *text = captured(fixture);
    assert_int_equal(strlen(text), DATE_BYTES + 256);
    assert_memory_equal(text + DATE_BYTES, wanted, 255);
    assert_int_equal(text[DATE_BYTES + 255], '\n');
}

static void long_lines_are_cut(void **state)
{
    struct fixture *fixture = *state;
    static char message[3 * LINE_BYTES_MAX];
    memset(message, 'm', sizeof(message) - 1);
    for (size_t bytes = LINE_BYTES_MAX - DATE_BYTES - 3; bytes < sizeof(message);
         bytes += bytes < LINE_BYTES_MAX ? 1 : 1000) {
        capture(fixture);
        log_line("%.*s", (int)bytes, message);
        const char *text = captured(fixture);
        size_t kept =
            bytes < LINE_BYTES_MAX - DATE_BYTES - 1 ? bytes : LINE_BYTES_MAX - DATE_BYTES - 1;
        assert_int_equal(strlen(text), DATE_BYTES + kept + 1);
        assert_memory_equal(text + DATE_BYTES, message, kept);
        assert_int_equal(text[DATE_BYTES + kept], '\n');
        assert_int_equal(writes, 1);
    }
}

/* Long lines are cut anywhere, also inside a character. */
static void a_cut_leaves_no_part_of_a_character(void **state)
{
    struct fixture *fixture = *state;
    char message[LINE_BYTES_MAX + 1];
    for (size_t i = 0; i + 3 < sizeof(message); i += 3)
        memcpy(message + i, "\xe2\x82\xac", 4);
    for (size_t shift = 0; shift < 3; shift++) {
        capture(fixture);
        log_line("%.*s%s", (int)shift, "xx", message);
        const char *text = captured(fixture);
        size_t kept = LINE_BYTES_MAX - DATE_BYTES - 1, rest = (kept - shift) % 3;
        assert_int_equal(strlen(text), DATE_BYTES + kept + 1);
        assert_memory_equal(text + DATE_BYTES + shift, message, kept - shift - rest);
        assert_memory_equal(text + DATE_BYTES + kept - rest, "??", rest);
        assert_int_equal(text[DATE_BYTES + kept], '\n');
    }
}

static void without_a_local_time_there_is_no_date(void **state)
{
    struct fixture *fixture = *state;
    capture(fixture);
    failing_arm(&fail_localtime_r, 1, EOVERFLOW);
    log_line("message");
    assert_true(failing_disarm(&fail_localtime_r));
    assert_string_equal(captured(fixture), "message\n");
}

/* A wide character that there is not cannot be formatted. */
static void what_cannot_be_formatted_is_left_out(void **state)
{
    struct fixture *fixture = *state;
    capture(fixture);
    log_line("%lc", (wint_t)0x7fffffff);
    log_line("next");
    assert_matches(captured(fixture), "^[0-9/]* [0-9:]* next\n$");
    assert_int_equal(writes, 1);
}

static void a_closed_standard_error_is_borne(void **state)
{
    struct fixture *fixture = *state;
    capture(fixture);
    assert_int_equal(close(STDERR_FILENO), 0);
    log_line("lost");
    assert_int_equal(writes, 1);
    restore(fixture);
}

#define THREADS 4
#define LINES 200

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
    capture(fixture);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, names[i]), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    int lines = 0;
    for (char *save, *line = strtok_r((char *)(uintptr_t)captured(fixture), "\n", &save);
         line != NULL; line = strtok_r(NULL, "\n", &save), lines++) {
        char name;
        int i;
        assert_int_equal(sscanf(line + DATE_BYTES, "%c %d", &name, &i), 2);
        assert_in_range(name, 'a', 'a' + THREADS - 1);
        assert_int_equal(i, next[name - 'a']++);
    }
    assert_int_equal(lines, THREADS * LINES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_date_time_and_message),
        TEST(control_characters_do_not_pass),
        TEST(long_lines_are_cut),
        TEST(a_cut_leaves_no_part_of_a_character),
        TEST(without_a_local_time_there_is_no_date),
        TEST(what_cannot_be_formatted_is_left_out),
        TEST(a_closed_standard_error_is_borne),
        TEST(lines_of_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
