/*
 * Tests of work/files: never more files open than may be, those that were not
 * used for longest are given up, and a file that is opened again is the one
 * that it was or is taken as it is found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/failing.h"
#include "lib/temporary.h"
#include "store/bucket.h"
#include "store/error.h"
#include "work/files.h"

#define BUCKETS 8
#define PLENTY 1000
#define RECORD_BYTES (RECORD_HEADER_BYTES + 5)

static struct failing fail_openat64;
int __real_openat64(int fd, const char *name, int flags, ...);
int __wrap_openat64(int fd, const char *name, int flags, ...);

int __wrap_openat64(int fd, const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return failing_now(&fail_openat64) ? -1 : __real_openat64(fd, name, flags, mode);
}

FAILING(ftruncate64, int, -1, (int fd, off_t bytes), (fd, bytes))

struct fixture {
    void *directory;
    struct root *root;
    struct open_prefix prefix;
    struct bucket_slot slots[BUCKETS];
    struct files files;
    struct batch batch;
};

static char notices[10][TEMPORARY_PATH_BYTES + 100];
static unsigned notice_count;

static void on_notice(const char *line)
{
    assert_true(notice_count < 10);
    (void)snprintf(notices[notice_count++], sizeof(notices[0]), "%s", line);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    unsigned buckets;
    fixture = (struct fixture){0};
    notice_count = 0;
    *state = &fixture;
    if (temporary_make(&fixture.directory) != 0 ||
        root_open(fixture.directory, &fixture.root) != 0 ||
        prefix_resolve(fixture.root, "p", BUCKETS, true, &buckets) != 0)
        return -1;
    memcpy(fixture.prefix.name, "p", 2);
    fixture.prefix.buckets = buckets;
    fixture.prefix.slots = fixture.slots;
    fixture.files = (struct files){.root = fixture.root, .limit = PLENTY, .notice = on_notice};
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < BUCKETS; i++)
        files_close(&fixture->files, &fixture->slots[i]);
    batch_free(&fixture->batch);
    root_close(fixture->root);
    return temporary_remove(&fixture->directory);
}

static int open_one(struct fixture *fixture, unsigned index, bool writable)
{
    return files_open(&fixture->files, &fixture->prefix, index, writable);
}

static const char *path_of(const struct fixture *fixture, unsigned index)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "p/append.%u.raw", index);
    return temporary_path(fixture->directory, name);
}

/* Which buckets have a descriptor, a letter each: 'a' for bucket 0. */
static const char *opened(const struct fixture *fixture)
{
    static char letters[BUCKETS + 1];
    unsigned count = 0;
    for (unsigned i = 0; i < BUCKETS; i++)
        if (fixture->slots[i].bucket != NULL && !bucket_suspended(fixture->slots[i].bucket))
            letters[count++] = (char)('a' + i);
    letters[count] = '\0';
    assert_int_equal(fixture->files.open, count);
    return letters;
}

/* Descriptors of this process, without that which looks. */
static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    (void)closedir(directory);
    return count - 3; /* ., .. and its own */
}

/* Opens the bucket for appending and appends five bytes. */
static int append(struct fixture *fixture, unsigned index)
{
    batch_reset(&fixture->batch);
    struct iovec *part = batch_add(&fixture->batch, 1, 5, 1);
    assert_non_null(part);
    *part = (struct iovec){(void *)(uintptr_t) "value", 5};
    int error = open_one(fixture, index, true);
    return error != 0 ? error : bucket_append(fixture->slots[index].bucket, &fixture->batch);
}

static void append_all(struct fixture *fixture)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        assert_int_equal(append(fixture, i), 0);
}

static void file_stays_open(void **state)
{
    struct fixture *fixture = *state;
    unsigned before = descriptors();
    assert_int_equal(append(fixture, 1), 0);
    struct bucket *bucket = fixture->slots[1].bucket;
    assert_int_equal(append(fixture, 1), 0);
    assert_int_equal(open_one(fixture, 1, false),
                     0); /* what is good for appending is for reading */
    assert_ptr_equal(fixture->slots[1].bucket, bucket);
    assert_int_equal(bucket_tail(bucket), 2 * RECORD_BYTES);
    assert_string_equal(opened(fixture), "b");
    assert_int_equal(descriptors(), before + 1);
    files_close(&fixture->files, &fixture->slots[1]);
    files_close(&fixture->files, &fixture->slots[1]); /* is closed already */
    assert_string_equal(opened(fixture), "");
    assert_int_equal(descriptors(), before);
}

static void file_open_for_reading_is_opened_for_appending(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(open_one(fixture, 0, false), 0);
    assert_false(bucket_writable(fixture->slots[0].bucket));
    assert_int_equal(append(fixture, 0), 0);
    assert_true(bucket_writable(fixture->slots[0].bucket));
    assert_string_equal(opened(fixture), "a");
    /* a suspended one too */
    fixture->files.limit = 1;
    assert_int_equal(open_one(fixture, 1, false), 0);
    assert_int_equal(open_one(fixture, 2, false), 0);
    assert_string_equal(opened(fixture), "c");
    assert_int_equal(append(fixture, 1), 0);
    assert_string_equal(opened(fixture), "b");
}

static void least_recently_used_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    fixture->files.limit = 3;
    static const struct {
        unsigned index;
        const char *opened;
    } steps[] = {{0, "a"},   {1, "ab"},  {2, "abc"}, {0, "abc"}, {3, "acd"}, {4, "ade"},
                 {3, "ade"}, {0, "ade"}, {1, "abd"}, {1, "abd"}, {2, "abc"}, {3, "bcd"}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        assert_int_equal(append(fixture, steps[i].index), 0);
        assert_string_equal(opened(fixture), steps[i].opened);
    }
}

static void closed_file_leaves_its_place_in_the_order(void **state)
{
    struct fixture *fixture = *state;
    fixture->files.limit = 4;
    for (unsigned closed = 0; closed < 4; closed++) { /* the oldest, in between, the newest */
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(append(fixture, i), 0);
        files_close(&fixture->files, &fixture->slots[closed]);
        assert_int_equal(append(fixture, 4), 0);
        assert_int_equal(append(fixture, 5), 0); /* the oldest of those that were left goes */
        assert_string_equal(opened(fixture), closed == 0   ? "cdef"
                                             : closed == 1 ? "cdef"
                                             : closed == 2 ? "bdef"
                                                           : "bcef");
        for (unsigned i = 0; i < BUCKETS; i++) /* suspended ones too */
            files_close(&fixture->files, &fixture->slots[i]);
        assert_string_equal(opened(fixture), "");
        assert_null(fixture->files.newest);
        assert_null(fixture->files.oldest);
    }
}

static void suspended_file_is_taken_up_where_it_was(void **state)
{
    struct fixture *fixture = *state;
    unsigned before = descriptors();
    for (unsigned limit = 0; limit <= BUCKETS; limit++) { /* 0: one is open all the same */
        fixture->files.limit = limit;
        struct bucket *first = fixture->slots[0].bucket;
        append_all(fixture);
        assert_true(limit == 0 || fixture->slots[0].bucket == first);
        assert_int_equal(fixture->files.open, limit > 0 ? limit : 1);
        assert_int_equal(descriptors(), before + fixture->files.open);
        for (unsigned i = 0; i < BUCKETS; i++) {
            assert_int_equal(open_one(fixture, i, false), 0);
            assert_int_equal(bucket_tail(fixture->slots[i].bucket), (limit + 1) * RECORD_BYTES);
        }
    }
    assert_int_equal(notice_count, 0);
}

/* The file is not watched while it is suspended. */
static void file_that_changed_while_it_was_suspended(void **state)
{
    struct fixture *fixture = *state;
    fixture->files.limit = 1;
    assert_int_equal(append(fixture, 0), 0);
    assert_int_equal(append(fixture, 0), 0);
    assert_int_equal(append(fixture, 1), 0);
    assert_int_equal(truncate(path_of(fixture, 0), RECORD_BYTES), 0);
    assert_int_equal(append(fixture, 0), 0); /* it is taken as it is found */
    assert_int_equal(fixture->batch.records[0].offset, RECORD_BYTES);

    assert_int_equal(append(fixture, 2), 0);
    assert_int_equal(append(fixture, 3), 0);
    assert_int_equal(unlink(path_of(fixture, 1)), 0);
    assert_int_equal(open_one(fixture, 1, false), STORE_NO_FILE);
    assert_null(fixture->slots[1].bucket);
    assert_int_equal(unlink(path_of(fixture, 2)), 0);
    assert_int_equal(append(fixture, 2), STORE_FILES_MISSING); /* others are there: it was lost */
    assert_null(fixture->slots[2].bucket);
    assert_int_equal(append(fixture, 3), 0);
}

static void deleted_prefix_is_made_anew(void **state)
{
    struct fixture *fixture = *state;
    fixture->files.limit = 1;
    assert_int_equal(append(fixture, 0), 0);
    assert_int_equal(append(fixture, 1), 0);
    assert_int_equal(temporary_empty(temporary_path(fixture->directory, "p")), 0);
    assert_int_equal(append(fixture, 0), 0);
    assert_int_equal(fixture->batch.records[0].offset, 0);
    assert_int_equal(access(path_of(fixture, BUCKETS - 1), F_OK), 0);
}

/* Any other error of opening it again is told, and passes. */
static void suspended_file_that_cannot_be_opened(void **state)
{
    struct fixture *fixture = *state;
    fixture->files.limit = 1;
    assert_int_equal(append(fixture, 0), 0);
    assert_int_equal(append(fixture, 1), 0);
    struct bucket *bucket = fixture->slots[0].bucket;
    failing_arm(&fail_openat64, 1, EIO);
    assert_int_equal(append(fixture, 0), -EIO);
    assert_true(failing_disarm(&fail_openat64));
    assert_ptr_equal(fixture->slots[0].bucket, bucket);
    assert_string_equal(opened(fixture), "");
    assert_int_equal(append(fixture, 0), 0);
    assert_ptr_equal(fixture->slots[0].bucket, bucket);
    assert_int_equal(bucket_tail(bucket), 2 * RECORD_BYTES);
}

/* The process has no descriptor left, whatever the limit says: one is given up for each. */
static void no_descriptor_left(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(append(fixture, i), 0);
    assert_string_equal(opened(fixture), "abcd");
    /* numbers are given lowest first: the first takes the place of a directory, over the files */
    int place = dup(0), next = dup(0), error;
    assert_true(place > 0 && next > place && close(next) == 0);
    few = (struct rlimit){(rlim_t)next, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < BUCKETS; i++)
            if ((error = append(fixture, i)) != 0)
                goto fail;
    /* to open a file takes two for a moment: its directory */
    assert_string_equal(opened(fixture), "fgh");
    for (unsigned i = 0; i < BUCKETS; i++)
        assert_int_equal(bucket_tail(fixture->slots[i].bucket), (i < 4 ? 4 : 3) * RECORD_BYTES);
    few.rlim_cur = 3; /* and now there is none to be had */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    error = append(fixture, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(error, -EMFILE);
    assert_string_equal(opened(fixture), "");
    append_all(fixture);
    assert_int_equal(close(place), 0);
    return;
fail:
    (void)setrlimit(RLIMIT_NOFILE, &before); /* or nothing more could be said */
    assert_int_equal(error, 0);
}

static void system_has_no_descriptor_left(void **state)
{
    struct fixture *fixture = *state;
    unsigned others = BUCKETS - 1;
    append_all(fixture);
    for (int call = 1; call <= 2; call++) { /* opening the directory, then the file */
        files_close(&fixture->files, &fixture->slots[BUCKETS - 1]);
        failing_arm(&fail_openat64, call, ENFILE);
        assert_int_equal(append(fixture, BUCKETS - 1), 0);
        assert_true(failing_disarm(&fail_openat64));
        assert_int_equal(fixture->files.open, others--);
        failing_arm(&fail_openat64, call, ENFILE);
        assert_int_equal(append(fixture, (unsigned)call - 1), 0); /* it had been given up */
        assert_true(failing_disarm(&fail_openat64));
        assert_int_equal(fixture->files.open, others + 1);
    }
}

static void only_want_of_descriptors_gives_one_up(void **state)
{
    struct fixture *fixture = *state;
    static const int others[] = {0, -ENOENT, -EIO, -ENOMEM, -EAGAIN, EMFILE};
    assert_false(files_give_up_one(&fixture->files, -EMFILE)); /* there is none */
    assert_int_equal(append(fixture, 0), 0);
    assert_int_equal(append(fixture, 1), 0);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(files_give_up_one(&fixture->files, others[i]));
    assert_string_equal(opened(fixture), "ab");
    assert_true(files_give_up_one(&fixture->files, -ENFILE));
    assert_string_equal(opened(fixture), "b");
    assert_true(files_give_up_one(&fixture->files, -EMFILE));
    assert_string_equal(opened(fixture), "");
    assert_false(files_give_up_one(&fixture->files, -EMFILE));
}

/* Adds bytes to the file of a bucket that is closed. */
static void scribble(struct fixture *fixture, unsigned index, const void *bytes, size_t count)
{
    int fd = open(path_of(fixture, index), O_WRONLY | O_APPEND);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, count), count);
    assert_int_equal(close(fd), 0);
}

/* Opens the bucket for appending: the last of so many notices must say that of it. */
static void assert_notice(struct fixture *fixture, unsigned index, unsigned count,
                          const char *offset, const char *what)
{
    char wanted[TEMPORARY_PATH_BYTES + 100];
    (void)snprintf(wanted, sizeof(wanted), "%s/p/append.%u.raw: at offset %s, %s",
                   root_path(fixture->root), index, offset, what);
    assert_int_equal(open_one(fixture, index, true), 0);
    assert_int_equal(notice_count, count);
    assert_string_equal(notices[count - 1], wanted);
}

static void what_was_found_is_told(void **state)
{
    struct fixture *fixture = *state;
    static const char foreign[40] = "no record";
    append_all(fixture);
    for (unsigned i = 0; i < BUCKETS; i++)
        files_close(&fixture->files, &fixture->slots[i]);
    scribble(fixture, 1, "torn", 4);
    scribble(fixture, 2, foreign, sizeof(foreign));
    scribble(fixture, 3, "torn", 4);
    scribble(fixture, 4, "torn", 4);
    assert_int_equal(open_one(fixture, 0, true), 0);
    assert_int_equal(open_one(fixture, 1, false), 0); /* who reads does not look */
    assert_int_equal(notice_count, 0);
    assert_notice(fixture, 1, 1, "21 of 25", "an unfinished append was cut off");
    assert_notice(fixture, 2, 2, "21 of 61",
                  "bytes that are no record are left as they are; appends follow them");
    failing_arm(&fail_ftruncate64, 1, EIO);
    assert_notice(fixture, 3, 3, "21 of 25", "an unfinished append could not be cut off");
    assert_true(failing_disarm(&fail_ftruncate64));
    assert_int_equal(append(fixture, 3), STORE_BROKEN);
    /* a broken one is looked at again when it was suspended */
    while (files_give_up_one(&fixture->files, -EMFILE))
        ;
    assert_notice(fixture, 3, 4, "21 of 25", "an unfinished append was cut off");
    assert_int_equal(append(fixture, 3), 0);
    fixture->files.notice = NULL;
    assert_int_equal(append(fixture, 4), 0);
    assert_int_equal(notice_count, 4);
}

static void end_that_was_not_reached_is_told(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t record[RECORD_HEADER_BYTES + 5000];
    record_header_encode(&(struct record_header){5000, 1}, record);
    append_all(fixture);
    files_close(&fixture->files, &fixture->slots[0]);
    for (unsigned i = 0; i < 300; i++)
        scribble(fixture, 0, record, sizeof(record));
    (void)removexattr(path_of(fixture, 0), "user.rochefort.record"); /* where there are any */
    assert_notice(fixture, 0, 1, "1284117 of 1504821",
                  "the end is too far away to look for an unfinished append; nothing is cut off");
    assert_int_equal(append(fixture, 0), 0);
}

#define LIMIT 5

/* Against a list that is kept by moving to its end what is used. */
static void order_is_that_of_use(void **state)
{
    struct fixture *fixture = *state;
    unsigned order[LIMIT], appends[BUCKETS] = {0}, random = 1;
    fixture->files.limit = LIMIT;
    for (unsigned i = 0; i < LIMIT; i++) {
        assert_int_equal(open_one(fixture, i, true), 0);
        order[i] = i;
    }
    for (unsigned step = 0; step < 5000; step++) {
        random = random * 1103515245 + 12345;
        unsigned index = random >> 16 & (BUCKETS - 1), at = 0;
        while (at < LIMIT && order[at] != index)
            at++;
        if (at == LIMIT)
            at = 0; /* it is not open: the oldest goes */
        memmove(order + at, order + at + 1, (LIMIT - at - 1) * sizeof(order[0]));
        order[LIMIT - 1] = index;
        assert_int_equal(append(fixture, index), 0);
        assert_int_equal(fixture->batch.records[0].offset, appends[index]++ * RECORD_BYTES);
        assert_int_equal(fixture->files.open, LIMIT);
        for (unsigned i = 0; i < LIMIT; i++)
            assert_false(bucket_suspended(fixture->slots[order[i]].bucket));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(file_stays_open),
        TEST(file_open_for_reading_is_opened_for_appending),
        TEST(least_recently_used_is_given_up),
        TEST(closed_file_leaves_its_place_in_the_order),
        TEST(suspended_file_is_taken_up_where_it_was),
        TEST(file_that_changed_while_it_was_suspended),
        TEST(deleted_prefix_is_made_anew),
        TEST(suspended_file_that_cannot_be_opened),
        TEST(no_descriptor_left),
        TEST(system_has_no_descriptor_left),
        TEST(only_want_of_descriptors_gives_one_up),
        TEST(what_was_found_is_told),
        TEST(end_that_was_not_reached_is_told),
        TEST(order_is_that_of_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
