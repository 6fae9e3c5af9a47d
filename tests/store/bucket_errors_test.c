/*
 * Tests of store/bucket with a kernel that misbehaves: this program brings
 * its own pwritev, preadv2, ftruncate and fdatasync, which are cut short,
 * interrupted or fail as the test wishes and otherwise do what the real ones do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
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
static struct step next_step(struct script *script)
{
    size_t call = script->calls++;
    return call < script->count ? script->steps[call] : (struct step){0, ALL};
}

/* The parts, shortened to `bytes` bytes in all. Answers how many are left. */
static int shorten(const struct iovec *parts, int count, size_t bytes, struct iovec *out)
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
    struct iovec shortened[16];
    assert_true(count <= 16);
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
    struct iovec shortened[16];
    assert_true(count <= 16);
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

static int set_up(void **state)
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
static int append(struct one_bucket *fixture)
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

static void assert_readable(struct one_bucket *fixture, int64_t base)
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

static void short_writes_go_on(void **state)
{
    struct one_bucket *fixture = *state;
    for (size_t some = 1; some <= TAIL; some++) { /* the first write ends at every byte once */
        writes = SCRIPT({0, some});
        int64_t base = bucket_tail(fixture->bucket);
        assert_int_equal(append(fixture), 0);
        assert_int_equal(writes.calls, some == TAIL ? 1 : 2);
        assert_int_equal(bucket_tail(fixture->bucket), base + TAIL);
        assert_readable(fixture, base);
    }
}

static void interrupted_write_is_tried_again(void **state)
{
    struct one_bucket *fixture = *state;
    writes = SCRIPT({EINTR, 0}, {0, 10}, {EINTR, 0}, {0, 20}, {EINTR, 0});
    assert_int_equal(append(fixture), 0);
    assert_int_equal(writes.calls, 6);
    assert_readable(fixture, 0);
}

static void write_that_fails_is_cut_back(void **state)
{
    struct one_bucket *fixture = *state;
    int64_t base = 0;
    for (size_t some = 1; some < TAIL; some++) { /* the disk fills up at every byte once */
        writes = SCRIPT({0, some}, {ENOSPC, 0});
        cuts = SCRIPT({EINTR, 0});
        assert_int_equal(append(fixture), -ENOSPC);
        assert_int_equal(cuts.calls, 2);
        int64_t whole = some < 20 ? 0 : some < 42 ? 1 : 2;
        for (int i = 0; i < 3; i++)
            assert_int_equal(fixture->batch.records[i].error, i < whole ? 0 : -ENOSPC);
        base += offsets[whole];
        assert_int_equal(bucket_tail(fixture->bucket), base);
        assert_int_equal(one_bucket_bytes(fixture), base);
        assert_int_equal(append(fixture), 0); /* there is room again */
        assert_readable(fixture, base);
        base += TAIL;
    }
}

/*
 * Each write moves some bytes and the Nth fails, for N = 1, 2, ... until all are through: what was
 * whole by then is in the file and nothing else, and the next append follows it.
 */
static void every_write_fails_once(void **state)
{
    static const int errors[] = {ENOSPC, EDQUOT, EIO, EFBIG, ENOMEM};
    struct one_bucket *fixture = *state;
    int64_t base = 0;
    unsigned failed = 0;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        for (size_t some = 1; some <= TAIL; some++) {
            for (size_t nth = 1, calls = 1; calls + 1 >= nth; nth++) {
                struct step steps[TAIL + 1];
                for (size_t step = 0; step < nth; step++)
                    steps[step] = (struct step){step + 1 == nth ? errors[i] : 0, some};
                for (size_t step = nth; step <= TAIL; step++)
                    steps[step] = (struct step){0, some};
                writes = (struct script){steps, TAIL + 1, 0};
                int error = append(fixture);
                calls = writes.calls;
                assert_int_equal(error, calls < nth ? 0 : -errors[i]);
                size_t in_file = calls < nth ? TAIL : (nth - 1) * some;
                size_t whole = in_file < 20 ? 0 : in_file < 42 ? 1 : in_file < TAIL ? 2 : 3;
                for (size_t record = 0; record < 3; record++) {
                    const struct batch_record *result = &fixture->batch.records[record];
                    assert_int_equal(result->error, record < whole ? 0 : -errors[i]);
                    if (record < whole)
                        assert_int_equal(result->offset, base + offsets[record]);
                }
                base += whole == 3 ? TAIL : offsets[whole];
                assert_int_equal(bucket_tail(fixture->bucket), base);
                assert_int_equal(one_bucket_bytes(fixture), base);
                writes = (struct script){0};
                assert_int_equal(append(fixture), 0); /* all is well again */
                assert_readable(fixture, base);
                base += TAIL;
                failed += error != 0;
            }
        }
    }
    assert_true(failed > 1000);
}

static void write_of_nothing_is_an_error(void **state)
{
    struct one_bucket *fixture = *state;
    writes = SCRIPT({0, 30}, {0, 0});
    assert_int_equal(append(fixture), -EIO);
    assert_int_equal(fixture->batch.records[0].error, 0);
    assert_int_equal(fixture->batch.records[1].error, -EIO);
    assert_int_equal(one_bucket_bytes(fixture), 20);
}

static void bucket_that_cannot_be_cut_back_takes_no_more(void **state)
{
    struct one_bucket *fixture = *state;
    assert_int_equal(append(fixture), 0);
    writes = SCRIPT({0, 30}, {ENOSPC, 0});
    cuts = SCRIPT({EIO, 0});
    assert_int_equal(append(fixture), -ENOSPC);
    assert_int_equal(fixture->batch.records[0].error, 0); /* it is whole, so it was written */
    assert_int_equal(fixture->batch.records[1].error, -ENOSPC);
    assert_int_equal(bucket_tail(fixture->bucket), TAIL + 20);
    assert_int_equal(one_bucket_bytes(fixture), TAIL + 30);

    writes = (struct script){0};
    assert_int_equal(append(fixture), STORE_BROKEN);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fixture->batch.records[i].error, STORE_BROKEN);
    assert_int_equal(writes.calls, 0);
    assert_readable(fixture, 0); /* reading goes on, but not into what was left behind */
    char buffer[16];
    struct bucket_value found;
    int error = bucket_read(fixture->bucket, TAIL + 20, buffer, sizeof(buffer), false, &found);
    assert_int_equal(error, STORE_NOT_FOUND);
}

static void short_and_interrupted_reads_go_on(void **state)
{
    struct one_bucket *fixture = *state;
    assert_int_equal(append(fixture), 0);
    for (size_t some = 1; some < 24; some++) {
        char buffer[8];
        struct bucket_value found;
        reads = SCRIPT({EINTR, 0}, {0, some}, {EINTR, 0});
        assert_int_equal(bucket_read(fixture->bucket, 42, buffer, sizeof(buffer), some % 2, &found),
                         0);
        assert_int_equal(found.read_bytes, 8);
        assert_memory_equal(buffer, "the last", 8);
        assert_int_equal(reads.calls, 4);
    }
}

static void what_is_not_in_memory_is_not_waited_for(void **state)
{
    struct one_bucket *fixture = *state;
    char buffer[8];
    struct bucket_value found;
    assert_int_equal(append(fixture), 0);
    reads = SCRIPT({EAGAIN, 0});
    assert_int_equal(bucket_read(fixture->bucket, 42, buffer, 8, true, &found), STORE_WOULD_BLOCK);
    for (size_t some = 1; some < 24; some++) { /* only the beginning is in memory */
        reads = SCRIPT({0, some}, {EAGAIN, 0});
        assert_int_equal(bucket_read(fixture->bucket, 42, buffer, 8, true, &found),
                         STORE_WOULD_BLOCK);
    }
    reads = SCRIPT({0, 5}, {EAGAIN, 0});
    assert_int_equal(bucket_read_more(fixture->bucket, 42, 1, buffer, 7, true), STORE_WOULD_BLOCK);
    assert_int_equal(waiting_reads, 0);
    /* of a short value everything is there even if what follows it is not */
    reads = SCRIPT({0, 20}, {EAGAIN, 0});
    assert_int_equal(bucket_read(fixture->bucket, 0, buffer, 8, true, &found), 0);
    assert_int_equal(found.read_bytes, 4);
    assert_memory_equal(buffer, "1st.", 4);
}

static void file_system_without_nowait_is_waited_for(void **state)
{
    struct one_bucket *fixture = *state;
    char buffer[8];
    struct bucket_value found;
    assert_int_equal(append(fixture), 0);
    reads = SCRIPT({EOPNOTSUPP, 0});
    assert_int_equal(bucket_read(fixture->bucket, 0, buffer, 4, true, &found), 0);
    assert_int_equal(reads.calls, 2);
    assert_int_equal(waiting_reads, 1);
    reads = (struct script){0};
    assert_int_equal(bucket_read(fixture->bucket, 0, buffer, 4, true, &found), 0);
    assert_int_equal(reads.calls, 1); /* it is asked only once */
    assert_int_equal(waiting_reads, 2);
    assert_memory_equal(buffer, "1st.", 4);
}

/* The file ends with the last value: asking for more would cost a call to be told so. */
static void last_value_is_read_in_one_call(void **state)
{
    struct one_bucket *fixture = *state;
    char buffer[1000];
    struct bucket_value found;
    assert_int_equal(append(fixture), 0);
    for (int i = 0; i < 3; i++) {
        reads = (struct script){0};
        int error = bucket_read(fixture->bucket, offsets[i], buffer, sizeof(buffer), i % 2, &found);
        assert_int_equal(error, 0);
        assert_int_equal(found.read_bytes, strlen(values[i]));
        assert_int_equal(reads.calls, 1);
    }
}

static void read_error_is_told(void **state)
{
    struct one_bucket *fixture = *state;
    char buffer[8];
    struct bucket_value found;
    assert_int_equal(append(fixture), 0);
    for (int cached_only = 0; cached_only < 2; cached_only++) {
        reads = SCRIPT({0, 17}, {EIO, 0});
        assert_int_equal(bucket_read(fixture->bucket, 0, buffer, 8, cached_only, &found), -EIO);
        reads = SCRIPT({EIO, 0});
        assert_int_equal(bucket_read_more(fixture->bucket, 0, 0, buffer, 4, cached_only), -EIO);
    }
}

/* Above all not one that was interrupted. */
static void sync_is_tried_once(void **state)
{
    static const int errors[] = {EINTR, EIO, ENOSPC, EROFS, EINVAL};
    struct one_bucket *fixture = *state;
    assert_int_equal(append(fixture), 0);
    assert_int_equal(bucket_sync(fixture->bucket), 0);
    assert_int_equal(syncs.calls, 1);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        syncs = SCRIPT({errors[i], 0});
        assert_int_equal(bucket_sync(fixture->bucket), -errors[i]);
        assert_int_equal(syncs.calls, 1);
    }
}

static void what_is_taken_back_is_gone(void **state)
{
    struct one_bucket *fixture = *state;
    char buffer[16];
    struct bucket_value found;
    assert_int_equal(append(fixture), 0);
    assert_int_equal(append(fixture), 0);
    cuts = SCRIPT({EINTR, 0});
    bucket_rollback(fixture->bucket, TAIL);
    assert_int_equal(cuts.calls, 2);
    assert_int_equal(bucket_tail(fixture->bucket), TAIL);
    assert_int_equal(one_bucket_bytes(fixture), TAIL);
    assert_int_equal(bucket_read(fixture->bucket, TAIL, buffer, sizeof(buffer), false, &found),
                     STORE_NOT_FOUND);
    assert_int_equal(append(fixture), 0);
    assert_readable(fixture, TAIL);

    cuts = SCRIPT({EIO, 0});
    bucket_rollback(fixture->bucket, TAIL);
    assert_true(bucket_broken(fixture->bucket));
    assert_int_equal(bucket_tail(fixture->bucket), TAIL); /* it is in the file, but not answered */
    assert_int_equal(bucket_read(fixture->bucket, TAIL, buffer, sizeof(buffer), false, &found),
                     STORE_NOT_FOUND);
    assert_int_equal(append(fixture), STORE_BROKEN);
    assert_readable(fixture, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, one_bucket_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(short_writes_go_on),
        TEST(interrupted_write_is_tried_again),
        TEST(write_that_fails_is_cut_back),
        TEST(every_write_fails_once),
        TEST(write_of_nothing_is_an_error),
        TEST(bucket_that_cannot_be_cut_back_takes_no_more),
        TEST(short_and_interrupted_reads_go_on),
        TEST(what_is_not_in_memory_is_not_waited_for),
        TEST(file_system_without_nowait_is_waited_for),
        TEST(last_value_is_read_in_one_call),
        TEST(read_error_is_told),
        TEST(sync_is_tried_once),
        TEST(what_is_taken_back_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
