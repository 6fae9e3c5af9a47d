/*
 * record_file: builds the bytes of a file of records, and checks which parts scan finds in them.
 */
#ifndef ROCHEFORT_TESTS_TOOLS_RECORD_FILE_H
#define ROCHEFORT_TESTS_TOOLS_RECORD_FILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/temporary.h"
#include "store/record.h"
#include "tools/scan.h"

#define FILE_BYTES_MAX 8192
#define PARTS_MAX 512
#define NEW_NS 2000 /* time of a record, unless a test says otherwise */
#define OLD_NS 1000

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_make, temporary_remove)

struct file {
    uint8_t bytes[FILE_BYTES_MAX];
    size_t count;
};

struct parts {
    struct scan_part all[PARTS_MAX];
    size_t count;
};

static inline void add(struct file *file, const void *bytes, size_t count)
{
    assert_true(file->count + count <= sizeof(file->bytes));
    memcpy(file->bytes + file->count, bytes, count);
    file->count += count;
}

static inline void add_header(struct file *file, uint32_t value_bytes, uint64_t time_ns)
{
    uint8_t header[RECORD_HEADER_BYTES];
    record_header_encode(&(struct record_header){value_bytes, time_ns}, header);
    add(file, header, sizeof(header));
}

/* Answers the offset. */
static inline int64_t add_record(struct file *file, const void *value, size_t count,
                                 uint64_t time_ns)
{
    int64_t offset = (int64_t)file->count;
    add_header(file, (uint32_t)count, time_ns);
    add(file, value, count);
    return offset;
}

/* A record whose value is `count` times the letter. */
static inline int64_t add_letters(struct file *file, char letter, size_t count)
{
    char value[FILE_BYTES_MAX];
    memset(value, letter, count);
    return add_record(file, value, count, NEW_NS);
}

static inline int keep(void *context, const struct scan_part *part)
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

static inline void scan_bytes(void **state, const struct file *file, struct parts *parts)
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

/* `letters` are the kinds in order: r record, g gap, d damaged range, o one that overclaims, t tail
 */
static inline void check(void **state, const struct file *file, const char *letters,
                         const int64_t *offsets)
{
    struct parts parts;
    char found[PARTS_MAX + 1] = {0};
    scan_bytes(state, file, &parts);
    for (size_t i = 0; i < parts.count; i++)
        found[i] = parts.all[i].overclaims ? 'o' : "rgdt"[parts.all[i].kind];
    assert_string_equal(found, letters);
    for (size_t i = 0; i < parts.count; i++)
        assert_int_equal(parts.all[i].offset, offsets[i]);
}

#endif
