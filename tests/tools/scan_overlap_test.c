/*
 * Tests of tools/scan: which headers are records where damage, kills or values that look like
 * records make one claim the bytes of others.
 */
#include <stdlib.h>

#include "tools/record_file.h"

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
        /* nor if what follows is damaged */
        file.bytes[next + 13] ^= 4;
        check(state, &file, "rdr", (int64_t[]){outer, next, last});
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
        int64_t damage = (int64_t)file.count;
        add(&file, piece, cut); /* as long as what the copy lacks */
        int64_t last = add_letters(&file, 'c', 10);
        check(state, &file, "rdr", (int64_t[]){outer, damage, last});
    }
}

static void damaged_header_over_records_shows_them(void **state)
{
    struct file inner = inner_file(0); /* the documented case: they are found */
    struct file file = {.count = 0};
    (void)add_record(&file, inner.bytes, inner.count, NEW_NS);
    int64_t last = add_letters(&file, 'c', 10);
    file.bytes[5] ^= 1;
    check(state, &file, "drrrrrr", (int64_t[]){0, 16, 43, 70, 97, 124, last});
    inner = inner_file(3); /* cut: the last of them claims the next record, which wins */
    file.count = 0;
    (void)add_record(&file, inner.bytes, inner.count, NEW_NS);
    last = add_letters(&file, 'c', 10);
    file.bytes[5] ^= 1;
    check(state, &file, "drrrror", (int64_t[]){0, 16, 43, 70, 97, 124, last});
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

static void cut_short_with_an_end_that_fits_is_a_record(void **state)
{
    struct file file = {.count = 0}; /* documented: nothing in the file tells it apart */
    (void)add_letters(&file, 'a', 60);
    file.count = 50;
    (void)add_letters(&file, 'b', 10);
    check(state, &file, "r", (int64_t[]){0});
    int64_t next = add_letters(&file, 'c', 10);
    check(state, &file, "rr", (int64_t[]){0, next});
}

/* Documented: nothing shows that such a record is more than the records in its value. */
static void copy_with_damage_on_both_sides_shows_its_records(void **state)
{
    struct file inner = inner_file(0);
    struct file file = {.count = 0};
    (void)add_letters(&file, 'a', 10);
    (void)add_record(&file, inner.bytes, inner.count, NEW_NS);
    int64_t next = add_letters(&file, 'b', 10);
    int64_t last = add_letters(&file, 'c', 10);
    file.bytes[5] ^= 1;
    file.bytes[next + 5] ^= 1;
    check(state, &file, "drrrrrdr", (int64_t[]){0, 42, 69, 96, 123, 150, next, last});
}

/* A header in a value whose own header is damaged, or in a block of another file: whatever it
 * claims and however old it is, the records that follow are found. */
static void stray_header_does_not_claim_records(void **state)
{
    for (uint64_t time = OLD_NS; time <= NEW_NS + 1000; time += 500) {
        for (uint32_t claimed = 60; claimed < 300; claimed++) {
            struct file file = {.count = 0};
            uint8_t value[60] = {0};
            struct record_header stray = {claimed, time};
            record_header_encode(&stray, value + 20);
            (void)add_record(&file, value, sizeof(value), NEW_NS);
            int64_t offsets[5] = {0};
            for (size_t i = 0; i < 4; i++)
                offsets[1 + i] = add_letters(&file, 'b', 40 + i);
            file.bytes[5] ^= 1;
            int64_t end = 36 + 16 + (int64_t)claimed;
            bool fits = end == (int64_t)file.count;
            for (size_t i = 0; i < 4; i++)
                fits = fits || end == offsets[1 + i];
            if (!fits) /* as in cut_short_with_an_end_that_fits_is_a_record */
                check(state, &file, "drrrr", offsets);
        }
    }
}

/* Such a header in a value that damage follows: a time that far away is by chance. */
static void stray_header_does_not_cost_its_record(void **state)
{
    static const uint64_t times[] = {NEW_NS - 1, NEW_NS + (UINT64_C(1) << 61) + 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct file file = {.count = 0};
        uint8_t value[60] = {0};
        record_header_encode(&(struct record_header){70, times[i]}, value + 20);
        (void)add_record(&file, value, sizeof(value), NEW_NS);
        int64_t next = add_letters(&file, 'b', 40);
        int64_t last = add_letters(&file, 'c', 40);
        file.bytes[next] ^= 1;
        check(state, &file, "rdr", (int64_t[]){0, next, last});
    }
}

/* Killed in the middle of a write, then more appends. */
static void cut_short_and_written_over(void **state)
{
    for (size_t piece = 1; piece < 16 + 60; piece++) {
        for (size_t more = 1; more < 8; more++) {
            struct file file = {.count = 0};
            char letters[] = "rorrrrrrr";
            int64_t offsets[9] = {0};
            (void)add_letters(&file, 'a', 20);
            offsets[1] = add_letters(&file, 'b', 60);
            file.count = (size_t)offsets[1] + piece;
            for (size_t i = 0; i < more; i++)
                offsets[2 + i] = add_letters(&file, 'c', 9 + i);
            letters[2 + more] = '\0';
            if (meets_a_boundary(&file, offsets, more))
                continue;
            letters[1] = piece < 16 ? 'd' : 'o';
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
            check(state, &file, "rdr", (int64_t[]){0, 76, last});
        else
            check(state, &file, "ordr", (int64_t[]){0, good, next, last});
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
        check(state, &file, "ort", (int64_t[]){0, good, tail});
    }
}

/* The second kill leaves less than a header, so nothing confirms the only record before it. */
static void killed_twice_with_one_record_between(void **state)
{
    for (size_t piece = 1; piece < 16; piece++) {
        struct file file = {.count = 0};
        (void)add_letters(&file, 'a', 60);
        file.count = 50;
        int64_t good = add_letters(&file, 'b', 20); /* ends behind the end that the first claims */
        int64_t torn = add_letters(&file, 'c', 60);
        file.count = (size_t)torn + piece;
        check(state, &file, "ort", (int64_t[]){0, good, torn});
        int64_t last = add_letters(&file, 'd', 60);
        check(state, &file, "ordr", (int64_t[]){0, good, torn, last});
    }
}

/* The first record that was cut short claims all of a good one, and some of what follows. */
static void killed_often_inside_what_the_first_claims(void **state)
{
    for (size_t second = 0; second < 30; second++) {
        for (size_t third = 1; third < 16; third++) {
            struct file file = {.count = 0};
            (void)add_letters(&file, 'a', 250);
            file.count = 30;
            (void)add_letters(&file, 'b', 150); /* claims less than the first */
            file.count = 30 + second;
            int64_t good = add_letters(&file, 'c', 20);
            int64_t torn = add_letters(&file, 'd', 60);
            file.count = (size_t)torn + third;
            int64_t next = add_letters(&file, 'e', 60);
            int64_t last = add_letters(&file, 'f', 60);
            check(state, &file, "ordrr", (int64_t[]){0, good, torn, next, last});
        }
    }
}

static void torn_tail_that_holds_older_records(void **state)
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

/* The test's time-out is the assertion. */
static void scan_in_time(void **state, const uint8_t *bytes, int64_t size)
{
    int fd = open(temporary_path(*state, "f"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, (size_t)size), size);
    struct parts parts = {.count = 0};
    struct scan scan = {.fd = fd, .part = keep, .context = &parts};
    assert_int_equal(scan_run(&scan), 0);
    assert_int_equal(close(fd), 0);
}

/* Each of these headers claims all the others. */
static void value_made_to_waste_time_does_not(void **state)
{
    const int64_t size = 1 << 20;
    uint8_t *bytes = calloc(1, (size_t)size);
    assert_non_null(bytes);
    for (int64_t at = 16; at < size - 64; at += 16)
        record_header_encode(&(struct record_header){(uint32_t)(size - at - 40), NEW_NS},
                             bytes + at);
    scan_in_time(state, bytes, size);
    free(bytes);
}

/* Each of the headers at the beginning is overlapped only by one near its end. */
static void overlaps_made_to_waste_time_do_not(void **state)
{
    const int64_t size = 8 << 20;
    uint8_t *bytes = calloc(1, (size_t)size);
    assert_non_null(bytes);
    int64_t begin = 0, end = size - 64;
    for (; begin < end - 64; begin += 16, end -= 64) {
        record_header_encode(&(struct record_header){(uint32_t)(end - begin - 16), NEW_NS},
                             bytes + begin);
        record_header_encode(&(struct record_header){8, NEW_NS}, bytes + end - 16);
    }
    scan_in_time(state, bytes, size);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_inside_values_are_not_records),
        TEST(copy_that_seems_to_go_on_does_not_cost_its_record),
        TEST(damaged_header_over_records_shows_them),
        TEST(cut_short_with_an_end_that_fits_is_a_record),
        TEST(copy_with_damage_on_both_sides_shows_its_records),
        TEST(stray_header_does_not_claim_records),
        TEST(stray_header_does_not_cost_its_record),
        TEST(cut_short_and_written_over),
        TEST(single_record_between_a_kill_and_damage),
        TEST(killed_twice),
        TEST(killed_twice_with_one_record_between),
        TEST(killed_often_inside_what_the_first_claims),
        TEST(torn_tail_that_holds_older_records),
        TEST(value_made_to_waste_time_does_not),
        TEST(overlaps_made_to_waste_time_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
