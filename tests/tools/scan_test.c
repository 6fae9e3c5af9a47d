/*
 * Tests of tools/scan: which records are found in files that are cut, damaged,
 * written over, or full of values that look like records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tools/gap.h"
#include "lib/temporary.h"
#include "tools/scan.h"

#define FILE_BYTES_MAX 8192
#define PARTS_MAX 512
#define LONG_BYTES (3 * 1024 * 1024)
#define NEW_NS 2000 /* time of a record, unless a test says otherwise */
#define OLD_NS 1000

struct file {
    uint8_t bytes[FILE_BYTES_MAX];
    size_t count;
};

struct parts {
    struct scan_part all[PARTS_MAX];
    size_t count;
};

static void add(struct file *file, const void *bytes, size_t count)
{
    assert_true(file->count + count <= sizeof(file->bytes));
    memcpy(file->bytes + file->count, bytes, count);
    file->count += count;
}

static void add_header(struct file *file, uint32_t value_bytes, uint64_t time_ns)
{
    uint8_t header[RECORD_HEADER_BYTES];
    record_header_encode(&(struct record_header){value_bytes, time_ns}, header);
    add(file, header, sizeof(header));
}

/* Answers the offset. */
static int64_t add_record(struct file *file, const void *value, size_t count, uint64_t time_ns)
{
    int64_t offset = (int64_t)file->count;
    add_header(file, (uint32_t)count, time_ns);
    add(file, value, count);
    return offset;
}

/* A record whose value is `count` times the letter. */
static int64_t add_letters(struct file *file, char letter, size_t count)
{
    char value[FILE_BYTES_MAX];
    memset(value, letter, count);
    return add_record(file, value, count, NEW_NS);
}

static int keep(void *context, const struct scan_part *part)
{
    struct parts *parts = context;
    assert_true(parts->count < PARTS_MAX);
    int64_t end = 0;
    if (parts->count > 0)
        end = parts->all[parts->count - 1].offset + parts->all[parts->count - 1].bytes;
    assert_int_equal(part->offset, end); /* they tile the file */
    assert_true(part->bytes > 0);
    parts->all[parts->count++] = *part;
    return 0;
}

static void scan_bytes(void **state, const struct file *file, struct parts *parts)
{
    int fd = open(temporary_path(*state, "f"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, file->bytes, file->count), file->count);
    for (int values = 0; values < 2; values++) {
        struct scan scan = {.fd = fd, .read_values = values, .part = keep, .context = parts};
        parts->count = 0;
        assert_int_equal(scan_run(&scan), 0);
        int64_t end = 0;
        if (parts->count > 0)
            end = parts->all[parts->count - 1].offset + parts->all[parts->count - 1].bytes;
        assert_int_equal(end, file->count);
    }
    assert_int_equal(close(fd), 0);
}

/* `letters` are the kinds in order: r record, g gap, h hole, l hole that begins with a lie, t tail
 */
static void check(void **state, const struct file *file, const char *letters,
                  const int64_t *offsets)
{
    struct parts parts;
    char found[PARTS_MAX + 1] = {0};
    scan_bytes(state, file, &parts);
    for (size_t i = 0; i < parts.count; i++)
        found[i] = parts.all[i].header_lies ? 'l' : "rght"[parts.all[i].kind];
    assert_string_equal(found, letters);
    for (size_t i = 0; i < parts.count; i++)
        assert_int_equal(parts.all[i].offset, offsets[i]);
}

static void nothing_and_whole_files(void **state)
{
    struct file file = {.count = 0};
    check(state, &file, "", NULL);
    (void)add_letters(&file, 'a', 1);
    (void)add_letters(&file, 'b', 100);
    (void)add_letters(&file, 'c', 5);
    check(state, &file, "rrr", (int64_t[]){0, 17, 133});
}

static void every_cut_of_the_last_record(void **state)
{
    struct file file = {.count = 0};
    (void)add_letters(&file, 'a', 20);
    int64_t last = add_letters(&file, 'b', 40);
    size_t whole = file.count;
    check(state, &file, "rr", (int64_t[]){0, last});
    for (file.count = whole - 1; file.count > (size_t)last; file.count--)
        check(state, &file, "rt", (int64_t[]){0, last});
    check(state, &file, "r", (int64_t[]){0});
}

static void every_flipped_bit_of_every_header(void **state)
{
    struct file file = {.count = 0};
    int64_t at[4] = {0};
    at[1] = add_letters(&file, 'a', 20) + 36;
    (void)add_letters(&file, 'b', 3);
    at[2] = (int64_t)file.count;
    (void)add_letters(&file, 'c', 50);
    static const char *const wanted[] = {"hrr", "rhr", "rrh"};
    for (int record = 0; record < 3; record++) {
        for (unsigned bit = 0; bit < RECORD_HEADER_BYTES * 8; bit++) {
            struct file damaged = file;
            damaged.bytes[(size_t)at[record] + bit / 8] ^= (uint8_t)(1U << bit % 8);
            check(state, &damaged, wanted[record], at);
        }
    }
}

static void record_between_two_holes_is_found_and_said_to_be_alone(void **state)
{
    struct file file = {.count = 0};
    (void)add_letters(&file, 'a', 20);
    int64_t middle = add_letters(&file, 'b', 30);
    int64_t third = add_letters(&file, 'c', 40);
    int64_t last = add_letters(&file, 'd', 50);
    file.bytes[0] ^= 1;
    file.bytes[third] ^= 1;
    check(state, &file, "hrhr", (int64_t[]){0, middle, third, last});
    struct parts parts;
    scan_bytes(state, &file, &parts);
    assert_true(parts.all[1].alone);
    assert_false(parts.all[3].alone);
}

/* A file of records, as somebody may store it. */
static struct file inner_file(size_t cut)
{
    struct file inner = {.count = 0};
    for (int i = 0; i < 5; i++)
        (void)add_record(&inner, "inner value", 11, OLD_NS);
    inner.count -= cut;
    return inner;
}

static void records_inside_values_are_not_records(void **state)
{
    for (size_t cut = 0; cut < 30; cut++) {
        struct file inner = inner_file(cut);
        struct file file = {.count = 0};
        int64_t outer = add_record(&file, inner.bytes, inner.count, NEW_NS);
        int64_t next = add_letters(&file, 'b', 100);
        int64_t last = add_letters(&file, 'c', 10);
        check(state, &file, "rrr", (int64_t[]){outer, next, last});
        /* nor if what follows is damaged, so that nothing but its header vouches for the value */
        file.bytes[next + 13] ^= 4;
        check(state, &file, "rhr", (int64_t[]){outer, next, last});
        file.count = (size_t)next + 9;
        check(state, &file, "rt", (int64_t[]){outer, next});
    }
}

static void copy_that_seems_to_go_on_does_not_cost_its_record(void **state)
{
    for (size_t cut = 1; cut < 27; cut++) {
        struct file inner = inner_file(cut);
        struct file file = {.count = 0};
        uint8_t piece[27] = {0};
        int64_t outer = add_record(&file, inner.bytes, inner.count, NEW_NS);
        int64_t hole = (int64_t)file.count;
        add(&file, piece, cut); /* as long as what the copy lacks */
        int64_t last = add_letters(&file, 'c', 10);
        check(state, &file, "rhr", (int64_t[]){outer, hole, last});
    }
}

static void damaged_header_over_records_shows_them(void **state)
{
    struct file inner = inner_file(0); /* the documented case: they are found */
    struct file file = {.count = 0};
    (void)add_record(&file, inner.bytes, inner.count, NEW_NS);
    int64_t last = add_letters(&file, 'c', 10);
    file.bytes[5] ^= 1;
    check(state, &file, "hrrrrrr", (int64_t[]){0, 16, 43, 70, 97, 124, last});
    inner = inner_file(3); /* cut: the last of them claims the next record, which wins */
    file.count = 0;
    (void)add_record(&file, inner.bytes, inner.count, NEW_NS);
    last = add_letters(&file, 'c', 10);
    file.bytes[5] ^= 1;
    check(state, &file, "hrrrrlr", (int64_t[]){0, 16, 43, 70, 97, 124, last});
}

/* The record that was cut short claims to end exactly where a later one starts or ends. */
static bool meets_a_boundary(const struct file *file, const int64_t *offsets, size_t more)
{
    int64_t claimed = offsets[1] + 16 + 60;
    for (size_t i = 0; i < more; i++)
        if (offsets[2 + i] == claimed)
            return true;
    return claimed == (int64_t)file->count;
}

static void cut_short_with_an_end_that_fits_is_believed(void **state)
{
    struct file file = {.count = 0}; /* documented: nothing in the file tells it apart */
    (void)add_letters(&file, 'a', 60);
    file.count = 50;
    (void)add_letters(&file, 'b', 10);
    check(state, &file, "r", (int64_t[]){0});
    int64_t next = add_letters(&file, 'c', 10);
    check(state, &file, "rr", (int64_t[]){0, next});
}

/* Killed in the middle of a write, then more appends. */
static void cut_short_and_written_over(void **state)
{
    for (size_t piece = 1; piece < 16 + 60; piece++) {
        for (size_t more = 1; more < 8; more++) {
            struct file file = {.count = 0};
            char letters[] = "rlrrrrrrr";
            int64_t offsets[9] = {0};
            (void)add_letters(&file, 'a', 20);
            offsets[1] = add_letters(&file, 'b', 60);
            file.count = (size_t)offsets[1] + piece;
            for (size_t i = 0; i < more; i++)
                offsets[2 + i] = add_letters(&file, 'c', 9 + i);
            letters[2 + more] = '\0';
            if (meets_a_boundary(&file, offsets, more))
                continue;
            letters[1] = piece < 16 ? 'h' : 'l';
            check(state, &file, letters, offsets);
        }
    }
}

/* A record cut short, one good record over its end, then damage: age decides. */
static void single_record_between_a_kill_and_damage(void **state)
{
    for (int older = 0; older < 2; older++) {
        struct file file = {.count = 0};
        (void)add_letters(&file, 'a', 60);
        file.count = 50;
        int64_t good = add_record(&file, "0123456789abcdef0123", 20, older ? OLD_NS : NEW_NS);
        int64_t next = add_letters(&file, 'c', 30);
        int64_t last = add_letters(&file, 'd', 30);
        file.bytes[next] ^= 1;
        if (older) /* documented: so it might be a copy inside the value */
            check(state, &file, "rhr", (int64_t[]){0, 76, last});
        else
            check(state, &file, "lrhr", (int64_t[]){0, good, next, last});
    }
}

static void killed_twice(void **state)
{
    for (size_t piece = 17; piece < 16 + 60; piece++) {
        struct file file = {.count = 0};
        (void)add_letters(&file, 'a', 60);
        file.count = 30;
        int64_t good = add_letters(&file, 'b', 10);
        int64_t tail = add_letters(&file, 'c', 60);
        file.count = (size_t)tail + piece;
        if (file.count == 16 + 60) /* where the first one claims to end */
            continue;
        check(state, &file, "lrt", (int64_t[]){0, good, tail});
    }
}

static void torn_tail_that_holds_records_of_old(void **state)
{
    struct file inner = inner_file(3);
    struct file file = {.count = 0};
    int64_t first = add_letters(&file, 'a', 60);
    int64_t tail = add_record(&file, inner.bytes, inner.count, NEW_NS);
    for (file.count--; file.count > (size_t)tail; file.count--) {
        size_t inside = file.count - (size_t)tail - 16;
        /* the documented case: it happens to be cut where a record inside ends */
        if (file.count > (size_t)tail + 16 && inside % 27 == 0)
            continue;
        check(state, &file, "rt", (int64_t[]){first, tail});
    }
}

static void empty_records_are_records(void **state)
{
    struct file file = {.count = 0};
    (void)add_letters(&file, 'a', 4);
    (void)add_record(&file, "", 0, 1518264381000000000);
    (void)add_record(&file, "", 0, 1518264381000000000);
    (void)add_letters(&file, 'b', 4);
    check(state, &file, "rrrr", (int64_t[]){0, 20, 36, 52});
}

static void zeros_are_a_hole(void **state)
{
    for (size_t count = 1; count < 100; count++) {
        struct file file = {.count = 0};
        uint8_t zeros[100] = {0};
        (void)add_letters(&file, 'a', 4);
        add(&file, zeros, count);
        check(state, &file, count < 16 ? "rt" : "rh", (int64_t[]){0, 20});
        int64_t next = add_letters(&file, 'b', 4);
        check(state, &file, "rhr", (int64_t[]){0, 20, next});
    }
}

static void gaps_of_every_size_are_stepped_over(void **state)
{
    for (size_t count = 1; count < 100; count++) {
        struct file file = {.count = 0};
        uint8_t rest[100] = {0};
        uint8_t header[RECORD_HEADER_BYTES];
        (void)add_letters(&file, 'a', 4);
        unsigned some = gap_encode(count, header);
        add(&file, header, some);
        add(&file, rest, count - some);
        /* at the end a short one is the beginning of an append */
        check(state, &file, count < 16 ? "rt" : "rg", (int64_t[]){0, 20});
        int64_t next = add_letters(&file, 'b', 4);
        check(state, &file, "rgr", (int64_t[]){0, 20, next});
        file.bytes[20] ^= 1; /* a damaged gap is damage */
        check(state, &file, "rhr", (int64_t[]){0, 20, next});
    }
}

static void holes_of_a_sparse_file_take_no_time(void **state)
{
    struct file file = {.count = 0};
    (void)add_letters(&file, 'a', 4);
    const int64_t far = (int64_t)4 << 40;
    int fd = open(temporary_path(*state, "f"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    /* not on a page's boundary: the header begins in a hole's last bytes */
    for (int64_t shift = -20; shift <= 20; shift++) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, file.bytes, file.count, 0), file.count);
        assert_int_equal(pwrite(fd, file.bytes, file.count, far + shift), file.count);
        struct parts parts = {.count = 0};
        struct scan scan = {.fd = fd, .read_values = true, .part = keep, .context = &parts};
        assert_int_equal(scan_run(&scan), 0);
        assert_int_equal(parts.count, 3);
        assert_int_equal(parts.all[1].kind, SCAN_HOLE);
        assert_int_equal(parts.all[2].offset, far + shift);
    }
    assert_int_equal(close(fd), 0);
}

/* Each of these headers is a chain by itself that all the others are inside of. */
static void value_made_to_waste_time_does_not(void **state)
{
    const int64_t size = 1 << 20;
    uint8_t *bytes = calloc(1, (size_t)size);
    assert_non_null(bytes);
    for (int64_t at = 16; at < size - 64; at += 16)
        record_header_encode(&(struct record_header){(uint32_t)(size - at - 40), NEW_NS},
                             bytes + at);
    int fd = open(temporary_path(*state, "f"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, (size_t)size), size);
    free(bytes);
    struct parts parts = {.count = 0};
    struct scan scan = {.fd = fd, .part = keep, .context = &parts};
    assert_int_equal(scan_run(&scan), 0); /* the test's time-out is the assertion */
    assert_int_equal(close(fd), 0);
}

struct growing {
    struct parts parts;
    const struct file *file;
    int fd;
};

/* The append that was under way is done when the scan has come to the record before it. */
static int keep_and_grow(void *context, const struct scan_part *part)
{
    struct growing *growing = context;
    if (part->offset == 0)
        assert_int_equal(pwrite(growing->fd, growing->file->bytes, growing->file->count, 0),
                         growing->file->count);
    return keep(&growing->parts, part);
}

static void append_under_way_is_looked_at_again(void **state)
{
    struct file file = {.count = 0};
    (void)add_letters(&file, 'a', 20);
    int64_t last = add_letters(&file, 'b', 40);
    for (size_t there = (size_t)last + 1; there < file.count; there++) {
        int fd = open(temporary_path(*state, "f"), O_RDWR | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, file.bytes, there), there);
        struct growing growing = {.parts = {.count = 0}, .file = &file, .fd = fd};
        struct scan scan = {.fd = fd, .part = keep_and_grow, .context = &growing};
        assert_int_equal(scan_run(&scan), 0);
        assert_int_equal(growing.parts.count, 2);
        assert_int_equal(growing.parts.all[1].kind, SCAN_RECORD);
        assert_int_equal(growing.parts.all[1].bytes, 56);
        assert_int_equal(close(fd), 0);
    }
}

static int stop(void *context, const struct scan_part *part)
{
    (void)part;
    ++*(int *)context;
    return -ECANCELED;
}

static void the_callback_can_stop_it(void **state)
{
    struct file file = {.count = 0};
    (void)add_letters(&file, 'a', 4);
    (void)add_letters(&file, 'b', 4);
    struct parts parts;
    scan_bytes(state, &file, &parts);
    int fd = open(temporary_path(*state, "f"), O_RDONLY);
    int calls = 0;
    struct scan scan = {.fd = fd, .part = stop, .context = &calls};
    assert_int_equal(scan_run(&scan), -ECANCELED);
    assert_int_equal(calls, 1);
    assert_int_equal(close(fd), 0);
    scan.fd = -1;
    assert_int_equal(scan_run(&scan), -EBADF);
}

struct progress {
    unsigned calls, stop_at; /* 0: never */
    unsigned parts;          /* told before the last call */
    int64_t done;
    struct parts told;
};

static int count_progress(void *context, int64_t done, int64_t size)
{
    struct progress *progress = context;
    assert_true(done >= 0 && done <= size);
    progress->done = done;
    progress->parts = (unsigned)progress->told.count;
    return ++progress->calls == progress->stop_at ? -ECANCELED : 0;
}

static int keep_told(void *context, const struct scan_part *part)
{
    return keep(&((struct progress *)context)->told, part);
}

static int run_with_progress(int fd, struct progress *progress)
{
    struct scan scan = {.fd = fd,
                        .read_values = true,
                        .part = keep_told,
                        .progress = count_progress,
                        .context = progress};
    return scan_run(&scan);
}

/* In one long part, however it is gone through: noise, a value, and back over it for a rival. */
static void progress_is_told_while_it_searches_and_can_stop_it(void **state)
{
    enum { NOISE, RECORD, DOUBT, FILES };
    static const unsigned calls_least[FILES] = {3, 3, 3 + 12};
    char *noise = malloc(LONG_BYTES + 100);
    assert_non_null(noise);
    uint64_t random = 1;
    for (size_t i = 0; i < LONG_BYTES + 100; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        noise[i] = (char)(random >> 56);
    }
    for (int which = NOISE; which < FILES; which++) {
        struct file header = {.count = 0};
        if (which != NOISE)
            add_header(&header, LONG_BYTES, NEW_NS);
        size_t bytes = LONG_BYTES + (which == DOUBT ? 100 : 0);
        int fd = open(temporary_path(*state, "f"), O_RDWR | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, header.bytes, header.count), header.count);
        assert_int_equal(write(fd, noise, bytes), bytes);
        struct progress whole = {.calls = 0};
        assert_int_equal(run_with_progress(fd, &whole), 0);
        assert_int_equal(whole.told.count, which == DOUBT ? 2 : 1);
        assert_true(whole.calls >= calls_least[which]);
        if (which != DOUBT) {
            assert_int_equal(whole.parts, 0);
            assert_true(whole.done >= LONG_BYTES - (1 << 20));
        }
        for (unsigned stop_at = 1; stop_at <= whole.calls; stop_at++) {
            struct progress stopped = {.stop_at = stop_at};
            assert_int_equal(run_with_progress(fd, &stopped), -ECANCELED);
            assert_int_equal(stopped.calls, stop_at); /* and nothing was told after it */
            assert_int_equal(stopped.told.count, stopped.parts);
        }
        assert_int_equal(close(fd), 0);
    }
    free(noise);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_make, temporary_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_and_whole_files),
        TEST(every_cut_of_the_last_record),
        TEST(every_flipped_bit_of_every_header),
        TEST(record_between_two_holes_is_found_and_said_to_be_alone),
        TEST(records_inside_values_are_not_records),
        TEST(copy_that_seems_to_go_on_does_not_cost_its_record),
        TEST(damaged_header_over_records_shows_them),
        TEST(cut_short_and_written_over),
        TEST(cut_short_with_an_end_that_fits_is_believed),
        TEST(single_record_between_a_kill_and_damage),
        TEST(killed_twice),
        TEST(torn_tail_that_holds_records_of_old),
        TEST(empty_records_are_records),
        TEST(zeros_are_a_hole),
        TEST(gaps_of_every_size_are_stepped_over),
        TEST(holes_of_a_sparse_file_take_no_time),
        TEST(value_made_to_waste_time_does_not),
        TEST(append_under_way_is_looked_at_again),
        TEST(the_callback_can_stop_it),
        TEST(progress_is_told_while_it_searches_and_can_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
