/*
 * Tests of base/line_queue: lines come out whole and in order, wherever the
 * memory ends, and one that does not fit changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/line_queue.h"

#define CAPACITY 32

static char memory[CAPACITY + 1];

static struct line_queue fresh(void)
{
    memset(memory, '#', sizeof(memory));
    return (struct line_queue){.memory = memory, .capacity = CAPACITY};
}

static bool put(struct line_queue *queue, const char *line)
{
    return line_queue_put(queue, line, strlen(line));
}

static void assert_taken(struct line_queue *queue, size_t room, const char *expected)
{
    char out[CAPACITY];
    size_t bytes = line_queue_peek(queue, out, room);
    assert_int_equal(bytes, strlen(expected));
    assert_memory_equal(out, expected, bytes);
    line_queue_remove(queue, bytes);
}

static void whole_lines_come_out_in_order(void **state)
{
    (void)state;
    struct line_queue queue = fresh();
    assert_taken(&queue, CAPACITY, "");
    assert_true(put(&queue, "one\n") && put(&queue, "three\n") && put(&queue, "\n"));
    assert_taken(&queue, 3, "");
    assert_taken(&queue, 4, "one\n");
    assert_taken(&queue, 6, "three\n");
    assert_true(put(&queue, "five\n"));
    assert_taken(&queue, 5, "\n");
    assert_taken(&queue, CAPACITY, "five\n");
    assert_taken(&queue, CAPACITY, "");
}

static void peeking_removes_nothing(void **state)
{
    (void)state;
    struct line_queue queue = fresh();
    char out[CAPACITY];
    assert_true(put(&queue, "one\n") && put(&queue, "two\n"));
    assert_int_equal(line_queue_peek(&queue, out, 5), 4);
    assert_int_equal(line_queue_peek(&queue, out, CAPACITY), 8);
    assert_memory_equal(out, "one\ntwo\n", 8);
}

static void a_line_that_does_not_fit_changes_nothing(void **state)
{
    (void)state;
    for (size_t begin = 0; begin < CAPACITY; begin++) {
        struct line_queue queue = fresh();
        queue.begin = begin;
        assert_true(put(&queue, "0123456789abcdefghijklmno\n")); /* 26 bytes */
        assert_false(put(&queue, "123456\n"));
        assert_true(put(&queue, "12345\n"));
        assert_false(put(&queue, "\n"));
        assert_int_equal(queue.used, CAPACITY);
        assert_int_equal(memory[CAPACITY], '#');
        assert_taken(&queue, CAPACITY, "0123456789abcdefghijklmno\n12345\n");
    }
}

/* Against a plain text, with lines of all lengths, so that they cross the end of the memory at each
 * of their bytes. */
static void lines_around_the_end_of_the_memory(void **state)
{
    (void)state;
    struct line_queue queue = fresh();
    static char all[1 << 20], out[1 << 20];
    size_t in_bytes = 0, out_bytes = 0;
    unsigned draw = 1;
    for (unsigned round = 0; in_bytes + CAPACITY < sizeof(all); round++) {
        draw = draw * 1103515245 + 12345;
        size_t bytes = 1 + (draw >> 16) % 12;
        char *line = all + in_bytes;
        for (size_t i = 0; i < bytes - 1; i++)
            line[i] = (char)('a' + (round + i) % 26);
        line[bytes - 1] = '\n';
        bool fits = queue.used + bytes <= CAPACITY;
        assert_int_equal(line_queue_put(&queue, line, bytes), fits);
        in_bytes += fits ? bytes : 0;
        if (!fits || round % 3 == 0) {
            size_t taken = line_queue_peek(&queue, out + out_bytes, 12 + round % 9);
            line_queue_remove(&queue, taken);
            out_bytes += taken;
        }
    }
    size_t rest = line_queue_peek(&queue, out + out_bytes, CAPACITY);
    assert_int_equal(rest, queue.used);
    assert_int_equal(out_bytes + rest, in_bytes);
    assert_memory_equal(out, all, in_bytes);
    assert_int_equal(memory[CAPACITY], '#');
}

static void an_empty_queue_begins_again(void **state)
{
    (void)state;
    struct line_queue queue = fresh();
    for (int i = 0; i < 2 * CAPACITY; i++) {
        assert_true(put(&queue, "0123\n"));
        assert_taken(&queue, CAPACITY, "0123\n");
    }
    assert_int_equal(memory[5], '#'); /* the rest of the memory was not touched */
}

static void lines_are_counted(void **state)
{
    (void)state;
    assert_int_equal(line_queue_count("", 0), 0);
    assert_int_equal(line_queue_count("\n", 1), 1);
    assert_int_equal(line_queue_count("one\ntwo\nthree", 13), 2);
    assert_int_equal(line_queue_count("one\ntwo\nthree", 3), 0);
    for (size_t begin = 0; begin < CAPACITY; begin++) {
        struct line_queue queue = fresh();
        queue.begin = begin;
        assert_true(put(&queue, "one\n") && put(&queue, "\n") && put(&queue, "three\n"));
        assert_int_equal(line_queue_clear(&queue), 3);
        assert_int_equal(line_queue_clear(&queue), 0);
        assert_taken(&queue, CAPACITY, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_lines_come_out_in_order),
        cmocka_unit_test(peeking_removes_nothing),
        cmocka_unit_test(a_line_that_does_not_fit_changes_nothing),
        cmocka_unit_test(lines_around_the_end_of_the_memory),
        cmocka_unit_test(an_empty_queue_begins_again),
        cmocka_unit_test(lines_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
