/*
 * one_bucket: a root with a prefix "p" and its bucket 3, open for writing, and
 * the few calls that most tests of buckets make.
 */
#ifndef ROCHEFORT_TESTS_STORE_ONE_BUCKET_H
#define ROCHEFORT_TESTS_STORE_ONE_BUCKET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/temporary.h"
#include "store/bucket.h"

#define ONE_BUCKET_READ_MAX 4096

struct one_bucket {
    void *directory;
    struct root *root;
    struct bucket *bucket;
    struct batch batch;
};

/* For cmocka_unit_test_setup_teardown. */
static inline int one_bucket_set_up(void **state)
{
    static struct one_bucket fixture;
    fixture = (struct one_bucket){0};
    *state = &fixture;
    if (temporary_make(&fixture.directory) != 0 ||
        mkdir(temporary_path(fixture.directory, "p"), 0700) != 0 ||
        mknod(temporary_path(fixture.directory, "p/append.3.raw"), S_IFREG | 0600, 0) != 0 ||
        root_open(fixture.directory, &fixture.root) != 0)
        return -1;
    return bucket_open(fixture.root, "p", 3, true, &fixture.bucket);
}

static inline int one_bucket_tear_down(void **state)
{
    struct one_bucket *fixture = *state;
    batch_free(&fixture->batch);
    bucket_close(fixture->bucket);
    root_close(fixture->root);
    return temporary_remove(&fixture->directory);
}

static inline void one_bucket_reopen(struct one_bucket *fixture, bool writable)
{
    bucket_close(fixture->bucket);
    fixture->bucket = NULL;
    assert_int_equal(bucket_open(fixture->root, "p", 3, writable, &fixture->bucket), 0);
}

static inline const char *one_bucket_path(const struct one_bucket *fixture)
{
    return temporary_path(fixture->directory, "p/append.3.raw");
}

static inline off_t one_bucket_bytes(const struct one_bucket *fixture)
{
    struct stat status;
    assert_int_equal(stat(one_bucket_path(fixture), &status), 0);
    return status.st_size;
}

/* Adds a record to the batch. */
static inline void one_bucket_add(struct one_bucket *fixture, const void *value, size_t bytes)
{
    struct iovec *part = batch_add(&fixture->batch, 1, (uint32_t)bytes, 1);
    assert_non_null(part);
    *part = (struct iovec){(void *)(uintptr_t)value, bytes};
}

/* Appends one value and answers its offset. */
static inline int64_t one_bucket_append(struct one_bucket *fixture, const void *value, size_t bytes)
{
    batch_reset(&fixture->batch);
    one_bucket_add(fixture, value, bytes);
    assert_int_equal(bucket_append(fixture->bucket, &fixture->batch), 0);
    assert_int_equal(fixture->batch.records[0].error, 0);
    return fixture->batch.records[0].offset;
}

static inline void one_bucket_check(struct one_bucket *fixture, int64_t offset, const void *value,
                                    size_t bytes)
{
    static char buffer[ONE_BUCKET_READ_MAX];
    struct bucket_value found;
    assert_true(bytes <= sizeof(buffer));
    assert_int_equal(bucket_read(fixture->bucket, offset, buffer, sizeof(buffer), false, &found),
                     0);
    assert_int_equal(found.value_bytes, bytes);
    assert_int_equal(found.read_bytes, bytes);
    assert_memory_equal(buffer, value, bytes);
}

static inline int one_bucket_error(struct one_bucket *fixture, int64_t offset, size_t capacity,
                                   bool cached_only)
{
    static char buffer[ONE_BUCKET_READ_MAX];
    struct bucket_value found;
    assert_true(capacity <= sizeof(buffer));
    return bucket_read(fixture->bucket, offset, buffer, capacity, cached_only, &found);
}

#endif
