/*
 * Tests of http/event_log: the first of a kind is a line, then a count; kinds that are over are
 * forgotten; only so many are told apart. The program brings a strdup that fails when the test says
 * so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "http/event_log.h"
#include "lib/failing.h"

FAILING(strdup, char *, NULL, (const char *text), (text))

#define LINES 256
#define LINE_BYTES 128

static char lines[LINES][LINE_BYTES];
static unsigned line_count;

static void keep_line(const char *line)
{
    assert_in_range(line_count, 0, LINES - 1);
    (void)snprintf(lines[line_count++], LINE_BYTES, "%s", line);
}

static int set_up(void **state)
{
    static struct event_log log;
    log = (struct event_log){.write = keep_line};
    line_count = 0;
    *state = &log;
    return 0;
}

static int tear_down(void **state)
{
    event_log_end(*state);
    return 0;
}

static void note(struct event_log *log, const char *text, unsigned times)
{
    for (; times > 0; times--)
        event_log_note(log, text);
}

static void first_is_a_line_and_the_rest_is_counted(void **state)
{
    struct event_log *log = *state;
    assert_false(event_log_wants_report(log));
    note(log, "disk full", 3);
    note(log, "file a", 1);
    note(log, "disk full", 2);
    assert_int_equal(line_count, 2);
    assert_string_equal(lines[0], "disk full");
    assert_string_equal(lines[1], "file a");
    assert_true(event_log_wants_report(log));
    event_log_report(log);
    assert_int_equal(line_count, 3);
    assert_string_equal(lines[2], "4 more in the last minute: disk full");
    note(log, "disk full", 1); /* it goes on: no first one again */
    note(log, "file a", 1);    /* had none since, and is one */
    assert_int_equal(line_count, 4);
    assert_string_equal(lines[3], "file a");
    event_log_report(log);
    assert_int_equal(line_count, 5);
    assert_string_equal(lines[4], "1 more in the last minute: disk full");
    event_log_report(log);
    assert_false(event_log_wants_report(log));
    assert_int_equal(line_count, 5);
}

static void only_so_many_kinds_are_told_apart(void **state)
{
    struct event_log *log = *state;
    char text[LINE_BYTES];
    for (unsigned i = 0; i < EVENT_LOG_KINDS + 10; i++) {
        (void)snprintf(text, sizeof(text), "file %u", i);
        note(log, text, 1);
    }
    assert_int_equal(line_count, EVENT_LOG_KINDS);
    note(log, "file 0", 5);
    event_log_report(log);
    assert_int_equal(line_count, EVENT_LOG_KINDS + 2);
    assert_string_equal(lines[EVENT_LOG_KINDS], "5 more in the last minute: file 0");
    assert_string_equal(lines[EVENT_LOG_KINDS + 1],
                        "10 in the last minute of other files or reasons: only 64 of them are told "
                        "apart");
    note(log, text, 1); /* the others are forgotten, so there is room for it */
    assert_string_equal(lines[EVENT_LOG_KINDS + 2], text);
}

static void without_memory_it_is_one_of_the_others(void **state)
{
    struct event_log *log = *state;
    failing_arm(&fail_strdup, 1, ENOMEM);
    note(log, "disk full", 1);
    assert_true(failing_disarm(&fail_strdup));
    assert_int_equal(line_count, 0);
    assert_true(event_log_wants_report(log));
    event_log_report(log);
    assert_int_equal(line_count, 1);
    note(log, "disk full", 1);
    assert_string_equal(lines[1], "disk full");
}

static void what_is_counted_is_reported_at_the_end(void **state)
{
    struct event_log *log = *state;
    note(log, "disk full", 3);
    note(log, "file a", 1);
    event_log_end(log);
    assert_int_equal(line_count, 3);
    assert_string_equal(lines[2], "2 more in the last minute: disk full");
    assert_false(event_log_wants_report(log));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_is_a_line_and_the_rest_is_counted),
        TEST(only_so_many_kinds_are_told_apart),
        TEST(without_memory_it_is_one_of_the_others),
        TEST(what_is_counted_is_reported_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
