/*
 * prefix_fixture: a root with the directory of a prefix, and its files.
 */
#ifndef ROCHEFORT_TESTS_STORE_PREFIX_FIXTURE_H
#define ROCHEFORT_TESTS_STORE_PREFIX_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/temporary.h"
#include "store/error.h"
#include "store/prefix_resolve.h"

struct fixture {
    void *directory;
    struct root *root;
};

static inline int set_up(void **state)
{
    static struct fixture fixture;
    *state = &fixture;
    if (temporary_make(&fixture.directory) != 0)
        return -1;
    return root_open(fixture.directory, &fixture.root);
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    root_close(fixture->root);
    return temporary_remove(&fixture->directory);
}

static inline const char *in(const struct fixture *fixture, const char *name)
{
    return temporary_path(fixture->directory, name);
}

static inline void make_prefix(const struct fixture *fixture)
{
    assert_int_equal(mkdir(in(fixture, "p"), 0700), 0);
}

static inline void make_file(const struct fixture *fixture, const char *name)
{
    int fd = open(in(fixture, name), O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

/* Names in the directory of the prefix "p", but for MANIFEST and those with a dot. */
static inline unsigned count_entries(const struct fixture *fixture)
{
    unsigned count = 0;
    struct dirent *entry;
    DIR *directory = opendir(in(fixture, "p"));
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.' && strcmp(entry->d_name, "MANIFEST") != 0;
    (void)closedir(directory);
    return count;
}

static inline bool exists(const struct fixture *fixture, const char *name)
{
    return access(in(fixture, name), F_OK) == 0;
}

static inline void write_file(const struct fixture *fixture, const char *name, const char *text)
{
    int fd = open(in(fixture, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

/* A bucket file with something in it, as an append leaves it. */
static inline void make_record(const struct fixture *fixture, const char *name)
{
    write_file(fixture, name, "not empty");
}

/* The MANIFEST of the prefix "p"; "" if there is none. Valid until the next call. */
static inline const char *manifest_text(const struct fixture *fixture)
{
    static char text[4096];
    ssize_t got = 0;
    int fd = open(in(fixture, "p/MANIFEST"), O_RDONLY);
    if (fd >= 0) {
        got = read(fd, text, sizeof(text) - 1);
        assert_true(got >= 0);
        assert_int_equal(close(fd), 0);
    } else {
        assert_int_equal(errno, ENOENT);
    }
    text[got] = '\0';
    return text;
}

/* What earlier servers wrote to the directory; skips the test where there are no attributes. */
static inline void set_buckets_attribute(const struct fixture *fixture, uint32_t buckets)
{
    uint32_t stored = htole32(buckets);
    if (setxattr(in(fixture, "p"), "user.rochefort.buckets", &stored, sizeof(stored), 0) != 0) {
        assert_int_equal(errno, EOPNOTSUPP);
        skip();
    }
}

static inline uint32_t buckets_attribute(const struct fixture *fixture)
{
    uint32_t stored = 0;
    ssize_t got = getxattr(in(fixture, "p"), "user.rochefort.buckets", &stored, sizeof(stored));
    return got == sizeof(stored) ? le32toh(stored) : 0;
}

#define PREFIX_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
