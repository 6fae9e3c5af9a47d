/*
 * one_tail: one_bucket.h, and what is written to its file without the bucket.
 */
#ifndef ROCHEFORT_TESTS_STORE_ONE_TAIL_H
#define ROCHEFORT_TESTS_STORE_ONE_TAIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "store/error.h"
#include "store/one_bucket.h"

#define CHECKPOINT "user.rochefort.record"
#define MIB (1024 * 1024)

static char large[MIB];

/* Opens the bucket anew: what is found must be this, and the next record goes to `tail`. */
static inline void assert_found(struct one_bucket *fixture, enum tail_state state, int64_t tail)
{
    int64_t bytes;
    one_bucket_reopen(fixture, true);
    assert_int_equal(bucket_found(fixture->bucket, &bytes)->state, state);
    assert_int_equal(bucket_tail(fixture->bucket), tail);
    assert_int_equal(one_bucket_bytes(fixture), tail);
}

static inline void cut_file(const struct one_bucket *fixture, off_t bytes)
{
    assert_int_equal(truncate(one_bucket_path(fixture), bytes), 0);
}

/* Writes behind the bucket's back. */
static inline void scribble(const struct one_bucket *fixture, const void *bytes, size_t count,
                            off_t at)
{
    int fd = open(one_bucket_path(fixture), O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, count, at), count);
    assert_int_equal(close(fd), 0);
}

static inline int64_t checkpoint_of(const struct one_bucket *fixture)
{
    uint8_t checkpoint[24];
    ssize_t bytes = getxattr(one_bucket_path(fixture), CHECKPOINT, checkpoint, sizeof(checkpoint));
    if (bytes < 0)
        return -1;
    assert_int_equal(bytes, sizeof(checkpoint));
    uint64_t offset;
    memcpy(&offset, checkpoint, sizeof(offset));
    return (int64_t)offset;
}

static inline void needs_attributes(const struct one_bucket *fixture)
{
    if (setxattr(one_bucket_path(fixture), "user.test", "", 0, 0) != 0)
        skip();
}

#define TAIL_TEST(name)                                                                            \
    cmocka_unit_test_setup_teardown(name, one_bucket_set_up, one_bucket_tear_down)

#endif
