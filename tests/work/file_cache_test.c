/*
 * Tests of work/file_cache: a file stays open, one that is opened again is the one that it was or
 * is taken as it is found, and what was found at its end is reported.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "work/slots.h"

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
    file_cache_close(&fixture->cache, &fixture->slots[1]);
    file_cache_close(&fixture->cache, &fixture->slots[1]); /* is closed already */
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
    fixture->cache.limit = 1;
    assert_int_equal(open_one(fixture, 1, false), 0);
    assert_int_equal(open_one(fixture, 2, false), 0);
    assert_string_equal(opened(fixture), "c");
    assert_int_equal(append(fixture, 1), 0);
    assert_string_equal(opened(fixture), "b");
}

static void suspended_file_is_taken_up_where_it_was(void **state)
{
    struct fixture *fixture = *state;
    unsigned before = descriptors();
    for (unsigned limit = 0; limit <= BUCKETS; limit++) { /* 0: one is open all the same */
        fixture->cache.limit = limit;
        struct bucket *first = fixture->slots[0].bucket;
        append_all(fixture);
        assert_true(limit == 0 || fixture->slots[0].bucket == first);
        assert_int_equal(fixture->cache.open, limit > 0 ? limit : 1);
        assert_int_equal(descriptors(), before + fixture->cache.open);
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
    fixture->cache.limit = 1;
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

static void make_file(struct fixture *fixture, const char *name, const char *text)
{
    int fd = open(temporary_path(fixture->directory, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

/* What an append finds when its file is not there: whether all of the prefix was deleted, so that
 * it may be made anew, or its records may be somewhere. */
static void deleted_prefix_is_told_from_a_lost_file(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *files, *manifest; /* of 8; NULL: none */
        int error;
    } rows[] = {
        {NULL, NULL, FILE_CACHE_DELETED}, /* not even the directory */
        {"", NULL, FILE_CACHE_DELETED},
        {"", "rochefort 1\nbuckets 8\nhash xxh3\n", FILE_CACHE_DELETED},
        {"7", NULL, FILE_CACHE_DELETED}, /* a creation of it that was cut short */
        {"567", NULL, FILE_CACHE_DELETED},
        {"0", NULL, STORE_FILES_MISSING},
        {"023456", NULL, STORE_FILES_MISSING},
        {"7", "rochefort 1\nbuckets 8\nhash xxh3\n", STORE_FILES_MISSING},
        {"0234567", "rochefort 1\nbuckets 8\nhash xxh3\n", STORE_FILES_MISSING},
        {"0", "rochefort 1\nbuckets 1\nhash xxh3\n", STORE_FILES_MISSING}, /* another one */
        {"", "rochefort 1\nbuckets 9\nhash xxh3\n", STORE_FILES_MISSING},
        {"", "garbage", STORE_MANIFEST_INVALID},
    };
    assert_int_equal(append(fixture, 1), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char file[64];
        (void)file_cache_close(&fixture->cache, &fixture->slots[1]);
        (void)temporary_empty(temporary_path(fixture->directory, "p"));
        if (rows[i].files != NULL)
            assert_int_equal(mkdir(temporary_path(fixture->directory, "p"), 0700), 0);
        for (const char *at = rows[i].files; at != NULL && *at != '\0'; at++) {
            (void)snprintf(file, sizeof(file), "p/append.%c.raw", *at);
            make_file(fixture, file, "");
        }
        if (rows[i].manifest != NULL)
            make_file(fixture, "p/MANIFEST", rows[i].manifest);
        int error = append(fixture, 1);
        if (error != rows[i].error)
            fail_msg("row %zu: %d, not %d", i, error, rows[i].error);
        assert_null(fixture->slots[1].bucket);
        assert_int_equal(access(path_of(fixture, 1), F_OK), -1); /* nothing is made here */
    }
    assert_int_equal(temporary_empty(temporary_path(fixture->directory, "p")), 0);
    make_file(fixture, "p", "");
    assert_int_equal(append(fixture, 1), -ENOTDIR);
}

/* The calls that look for the others fail once each. */
static void looking_for_a_deleted_prefix_fails(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(append(fixture, 1), 0);
    (void)file_cache_close(&fixture->cache, &fixture->slots[1]);
    assert_int_equal(unlink(path_of(fixture, 1)), 0);
    for (int nth = 1;; nth++) {
        failing_arm(&fail_openat64, nth, EIO);
        int error = append(fixture, 1);
        bool failed = failing_disarm(&fail_openat64);
        assert_int_equal(error, failed ? -EIO : STORE_FILES_MISSING);
        if (!failed) {
            assert_true(nth > 4); /* directory, file, directory, MANIFEST... */
            break;
        }
    }
}

/* Any other error of opening it again is told, and passes. */
static void suspended_file_that_cannot_be_opened(void **state)
{
    struct fixture *fixture = *state;
    fixture->cache.limit = 1;
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
        file_cache_close(&fixture->cache, &fixture->slots[i]);
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
    while (file_cache_free_descriptor(&fixture->cache, -EMFILE))
        ;
    assert_notice(fixture, 3, 4, "21 of 25", "an unfinished append was cut off");
    assert_int_equal(append(fixture, 3), 0);
    fixture->cache.notice = NULL;
    assert_int_equal(append(fixture, 4), 0);
    assert_int_equal(notice_count, 4);
}

static void end_that_was_not_reached_is_told(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t record[RECORD_HEADER_BYTES + 5000];
    record_header_encode(&(struct record_header){5000, 1}, record);
    append_all(fixture);
    file_cache_close(&fixture->cache, &fixture->slots[0]);
    for (unsigned i = 0; i < 300; i++)
        scribble(fixture, 0, record, sizeof(record));
    (void)removexattr(path_of(fixture, 0), "user.rochefort.record"); /* where there are any */
    assert_notice(fixture, 0, 1, "1284117 of 1504821",
                  "the end is too far away to look for an unfinished append; nothing is cut off");
    assert_int_equal(append(fixture, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLOTS_TEST(file_stays_open),
        SLOTS_TEST(file_open_for_reading_is_opened_for_appending),
        SLOTS_TEST(suspended_file_is_taken_up_where_it_was),
        SLOTS_TEST(file_that_changed_while_it_was_suspended),
        SLOTS_TEST(deleted_prefix_is_told_from_a_lost_file),
        SLOTS_TEST(looking_for_a_deleted_prefix_fails),
        SLOTS_TEST(suspended_file_that_cannot_be_opened),
        SLOTS_TEST(what_was_found_is_told),
        SLOTS_TEST(end_that_was_not_reached_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
