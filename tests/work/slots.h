/*
 * slots: a prefix with the slots of its buckets and a file_cache over it, without a worker. The
 * program gets an openat and an ftruncate that may fail (link it with failing_calls(... openat64
 * ftruncate64)).
 */
#ifndef ROCHEFORT_TESTS_WORK_SLOTS_H
#define ROCHEFORT_TESTS_WORK_SLOTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/failing.h"
#include "lib/temporary.h"
#include "store/bucket.h"
#include "store/error.h"
#include "store/prefix_resolve.h"
#include "work/file_cache.h"

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

FAILING_FTRUNCATE64

struct fixture {
    void *directory;
    struct root *root;
    struct open_prefix prefix;
    struct bucket_slot slots[BUCKETS];
    struct file_cache cache;
    struct sync_schedule schedule;
    struct batch batch;
};

static char notices[10][TEMPORARY_PATH_BYTES + 100];
static unsigned notice_count;

static inline void on_notice(const char *line)
{
    assert_true(notice_count < 10);
    (void)snprintf(notices[notice_count++], sizeof(notices[0]), "%s", line);
}

static inline int set_up(void **state)
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
    fixture.prefix.manifest.buckets = buckets;
    fixture.prefix.slots = fixture.slots;
    sync_schedule_init(&fixture.schedule, fixture.root, -1, 1, on_notice);
    file_cache_init(&fixture.cache, fixture.root, &fixture.schedule, PLENTY, on_notice);
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < BUCKETS; i++)
        file_cache_close(&fixture->cache, &fixture->slots[i]);
    batch_free(&fixture->batch);
    root_close(fixture->root);
    return temporary_remove(&fixture->directory);
}

static inline int open_one(struct fixture *fixture, unsigned index, bool writable)
{
    return file_cache_open(&fixture->cache, &fixture->prefix, index, writable);
}

static inline const char *path_of(const struct fixture *fixture, unsigned index)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "p/append.%u.raw", index);
    return temporary_path(fixture->directory, name);
}

/* Which buckets have a descriptor, a letter each: 'a' for bucket 0. */
static inline const char *opened(const struct fixture *fixture)
{
    static char letters[BUCKETS + 1];
    unsigned count = 0;
    for (unsigned i = 0; i < BUCKETS; i++)
        if (fixture->slots[i].bucket != NULL && !bucket_suspended(fixture->slots[i].bucket))
            letters[count++] = (char)('a' + i);
    letters[count] = '\0';
    assert_int_equal(fixture->cache.open, count);
    return letters;
}

/* Descriptors of this process, without that which looks. */
static inline unsigned descriptors(void)
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
static inline int append(struct fixture *fixture, unsigned index)
{
    batch_reset(&fixture->batch);
    struct iovec *part = batch_add(&fixture->batch, 1, 5, 1);
    assert_non_null(part);
    *part = (struct iovec){(void *)(uintptr_t) "value", 5};
    int error = open_one(fixture, index, true);
    return error != 0 ? error : bucket_append(fixture->slots[index].bucket, &fixture->batch);
}

static inline void append_all(struct fixture *fixture)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        assert_int_equal(append(fixture, i), 0);
}

#define SLOTS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
