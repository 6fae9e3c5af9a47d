/*
 * scripted_calls: one_bucket.h for a program that gets its own pwritev, preadv2, ftruncate and
 * fdatasync, which are cut short, interrupted or fail as a script says and otherwise do what the
 * real ones do.
 */
#ifndef ROCHEFORT_TESTS_STORE_SCRIPTED_CALLS_H
#define ROCHEFORT_TESTS_STORE_SCRIPTED_CALLS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "store/error.h"
#include "store/one_bucket.h"

/* What one call does: fail with `error`, or, if that is 0, move `bytes` bytes at most. */
struct step {
    int error;
    size_t bytes;
};

struct script {
    const struct step *steps;
    size_t count, calls;
};

static struct script writes, reads, cuts, syncs;
static unsigned waiting_reads; /* reads without RWF_NOWAIT */

#define SCRIPT(...)                                                                                \
    (struct script)                                                                                \
    {                                                                                              \
        .steps = (const struct step[]){__VA_ARGS__},                                               \
        .count = sizeof((const struct step[]){__VA_ARGS__}) / sizeof(struct step)                  \
    }
#define ALL SIZE_MAX

/* After its last step a script lets everything pass. */
static inline struct step next_step(struct script *script)
{
    size_t call = script->calls++;
    return call < script->count ? script->steps[call] : (struct step){0, ALL};
}

/* The parts, shortened to `bytes` bytes in all. Returns how many are left. */
static inline int shorten(const struct iovec *parts, int count, size_t bytes, struct iovec *out)
{
    int used = 0;
    for (; used < count && bytes > 0; used++) {
        out[used] = parts[used];
        if (out[used].iov_len > bytes)
            out[used].iov_len = bytes;
        bytes -= out[used].iov_len;
    }
    return used;
}

/* With _FILE_OFFSET_BITS=64 the symbols of these three are pwritev64, preadv64v2, ftruncate64. */
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t);
    *(void **)&real = dlsym(RTLD_NEXT, "pwritev64");
    struct step step = next_step(&writes);
    struct iovec shortened[IOV_MAX];
    assert_true(count <= IOV_MAX);
    if (step.error != 0) {
        errno = step.error;
        return -1;
    }
    return real(fd, shortened, shorten(parts, count, step.bytes, shortened), offset);
}

ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t, int);
    *(void **)&real = dlsym(RTLD_NEXT, "preadv64v2");
    waiting_reads += (flags & RWF_NOWAIT) == 0;
    struct step step = next_step(&reads);
    struct iovec shortened[IOV_MAX];
    assert_true(count <= IOV_MAX);
    if (step.error != 0) {
        errno = step.error;
        return -1;
    }
    return real(fd, shortened, shorten(parts, count, step.bytes, shortened), offset, flags);
}

int ftruncate(int fd, off_t length)
{
    int (*real)(int, off_t);
    *(void **)&real = dlsym(RTLD_NEXT, "ftruncate64");
    struct step step = next_step(&cuts);
    if (step.error != 0) {
        errno = step.error;
        return -1;
    }
    return real(fd, length);
}

int fdatasync(int fd)
{
    int (*real)(int);
    *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    struct step step = next_step(&syncs);
    if (step.error != 0) {
        errno = step.error;
        return -1;
    }
    return real(fd);
}

static inline int set_up(void **state)
{
    writes = reads = cuts = syncs = (struct script){0};
    waiting_reads = 0;
    return one_bucket_set_up(state);
}

/* Three records: 0..19, 20..41, 42..65. */
static const char *const values[] = {"1st.", "second", "the last"};
static const int64_t offsets[] = {0, 20, 42};
#define TAIL 66

/* Appends the three records, each value in two parts. */
static inline int append(struct one_bucket *fixture)
{
    batch_reset(&fixture->batch);
    for (size_t i = 0; i < 3; i++) {
        size_t bytes = strlen(values[i]);
        struct iovec *parts = batch_add(&fixture->batch, 1, (uint32_t)bytes, 2);
        assert_non_null(parts);
        parts[0] = (struct iovec){(void *)(uintptr_t)values[i], 3};
        parts[1] = (struct iovec){(void *)(uintptr_t)(values[i] + 3), bytes - 3};
    }
    return bucket_append(fixture->bucket, &fixture->batch);
}

static inline void assert_readable(struct one_bucket *fixture, int64_t base)
{
    for (size_t i = 0; i < 3; i++) {
        char buffer[16];
        struct bucket_value found;
        assert_int_equal(
            bucket_read(fixture->bucket, base + offsets[i], buffer, sizeof(buffer), false, &found),
            0);
        assert_int_equal(found.read_bytes, strlen(values[i]));
        assert_memory_equal(buffer, values[i], found.read_bytes);
    }
}

#define SCRIPTED_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, one_bucket_tear_down)

#endif
