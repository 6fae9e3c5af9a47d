/*
 * Tests of tools/scan: the parts of files that are whole, cut, damaged or mended, and of files
 * that change meanwhile.
 */
#include <errno.h>
#include <stdlib.h>

#include "store/gap.h"
#include "tools/record_file.h"

#define LONG_BYTES (3 * 1024 * 1024)

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
    static const char *const wanted[] = {"drr", "rdr", "rrd"};
    for (int record = 0; record < 3; record++) {
        for (unsigned bit = 0; bit < RECORD_HEADER_BYTES * 8; bit++) {
            struct file damaged = file;
            damaged.bytes[(size_t)at[record] + bit / 8] ^= (uint8_t)(1U << bit % 8);
            check(state, &damaged, wanted[record], at);
        }
    }
}

static void record_with_damage_on_both_sides_is_found_but_not_confirmed(void **state)
{
    struct file file = {.count = 0};
    (void)add_letters(&file, 'a', 20);
    int64_t middle = add_letters(&file, 'b', 30);
    int64_t third = add_letters(&file, 'c', 40);
    int64_t last = add_letters(&file, 'd', 50);
    file.bytes[0] ^= 1;
    file.bytes[third] ^= 1;
    check(state, &file, "drdr", (int64_t[]){0, middle, third, last});
    struct parts parts;
    scan_bytes(state, &file, &parts);
    assert_false(parts.all[1].confirmed);
    assert_true(parts.all[3].confirmed);
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

static void zeros_are_damage(void **state)
{
    for (size_t count = 1; count < 100; count++) {
        struct file file = {.count = 0};
        uint8_t zeros[100] = {0};
        (void)add_letters(&file, 'a', 4);
        add(&file, zeros, count);
        check(state, &file, count < 16 ? "rt" : "rd", (int64_t[]){0, 20});
        int64_t next = add_letters(&file, 'b', 4);
        check(state, &file, "rdr", (int64_t[]){0, 20, next});
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
        check(state, &file, "rdr", (int64_t[]){0, 20, next});
    }
}

static void record_between_gaps_is_confirmed(void **state)
{
    for (size_t count = 1; count < 40; count++) {
        struct file file = {.count = 0};
        uint8_t gap[40] = {0};
        (void)gap_encode(count, gap);
        add(&file, gap, count);
        int64_t middle = add_letters(&file, 'a', 4);
        add(&file, gap, count);
        int64_t last = add_letters(&file, 'b', 4);
        check(state, &file, "grgr", (int64_t[]){0, (int64_t)count, middle + 20, last});
        struct parts parts;
        scan_bytes(state, &file, &parts);
        assert_true(parts.all[1].confirmed);
        file.bytes[0] ^= 1; /* one of them is enough */
        check(state, &file, "drgr", (int64_t[]){0, (int64_t)count, middle + 20, last});
        scan_bytes(state, &file, &parts);
        assert_true(parts.all[1].confirmed);
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
        assert_int_equal(parts.all[1].kind, SCAN_DAMAGED);
        assert_int_equal(parts.all[2].offset, far + shift);
    }
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
    unsigned parts;          /* found before the last call */
    int64_t done;
    struct parts found;
};

static int count_progress(void *context, int64_t done, int64_t size)
{
    struct progress *progress = context;
    assert_true(done >= 0 && done <= size);
    progress->done = done;
    progress->parts = (unsigned)progress->found.count;
    return ++progress->calls == progress->stop_at ? -ECANCELED : 0;
}

static int keep_part(void *context, const struct scan_part *part)
{
    return keep(&((struct progress *)context)->found, part);
}

static int run_with_progress(int fd, struct progress *progress)
{
    struct scan scan = {.fd = fd,
                        .read_values = true,
                        .part = keep_part,
                        .progress = count_progress,
                        .context = progress};
    return scan_run(&scan);
}

/* In one long part, however it is read: noise, a value, a value that is searched for an overlap. */
static void progress_is_reported_in_long_parts_and_can_stop_it(void **state)
{
    enum { NOISE, RECORD, DOUBT, FILES };
    static const unsigned calls_least[FILES] = {3, 3, 3};
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
        assert_int_equal(whole.found.count, which == DOUBT ? 2 : 1);
        assert_true(whole.calls >= calls_least[which]);
        if (which != DOUBT) {
            assert_int_equal(whole.parts, 0);
            assert_true(whole.done >= LONG_BYTES - (1 << 20));
        }
        for (unsigned stop_at = 1; stop_at <= whole.calls; stop_at++) {
            struct progress stopped = {.stop_at = stop_at};
            assert_int_equal(run_with_progress(fd, &stopped), -ECANCELED);
            assert_int_equal(stopped.calls, stop_at); /* and no part came after it */
            assert_int_equal(stopped.found.count, stopped.parts);
        }
        assert_int_equal(close(fd), 0);
    }
    free(noise);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_and_whole_files),
        TEST(every_cut_of_the_last_record),
        TEST(every_flipped_bit_of_every_header),
        TEST(record_with_damage_on_both_sides_is_found_but_not_confirmed),
        TEST(empty_records_are_records),
        TEST(zeros_are_damage),
        TEST(gaps_of_every_size_are_stepped_over),
        TEST(record_between_gaps_is_confirmed),
        TEST(holes_of_a_sparse_file_take_no_time),
        TEST(append_under_way_is_looked_at_again),
        TEST(the_callback_can_stop_it),
        TEST(progress_is_reported_in_long_parts_and_can_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
