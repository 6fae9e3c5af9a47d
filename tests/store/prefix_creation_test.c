/*
 * Tests of store/prefix: how a prefix is made and completed, and when its MANIFEST is written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/prefix_fixture.h"

static void creation_makes_every_file(void **state)
{
    struct fixture *fixture = *state;
    unsigned buckets;
    assert_int_equal(prefix_resolve(fixture->root, "p", 3, true, &buckets), 0);
    assert_int_equal(buckets, 3);
    assert_int_equal(count_entries(fixture), 3);
    assert_true(exists(fixture, "p/append.0.raw"));
    assert_true(exists(fixture, "p/append.1.raw"));
    assert_true(exists(fixture, "p/append.2.raw"));
    assert_string_equal(manifest_text(fixture), "rochefort 1\nbuckets 3\nhash xxh3\n");
    assert_int_equal(buckets_attribute(fixture), 0); /* only earlier servers wrote one */
}

static void creation_makes_the_highest_file_first_and_the_manifest_last(void **state)
{
    struct fixture *fixture = *state;
    make_prefix(fixture);
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(watch >= 0);
    assert_true(inotify_add_watch(watch, in(fixture, "p"), IN_CREATE | IN_MOVED_TO) >= 0);
    unsigned buckets;
    assert_int_equal(prefix_resolve(fixture->root, "p", 12, true, &buckets), 0);

    int expected = 11;
    char seen[8192] __attribute__((aligned(8)));
    ssize_t bytes = read(watch, seen, sizeof(seen));
    assert_true(bytes > 0);
    for (ssize_t at = 0; at < bytes; expected--) {
        const struct inotify_event *event = (const struct inotify_event *)(const void *)(seen + at);
        char name[64];
        (void)snprintf(name, sizeof(name), "append.%d.raw", expected);
        if (expected == -1) /* it is made under another name, and renamed */
            assert_string_equal(event->name, ".MANIFEST.new");
        else
            assert_string_equal(event->name, expected == -2 ? "MANIFEST" : name);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    assert_int_equal(expected, -3);
    (void)close(watch);
}

static void creation_cut_short_is_completed(void **state)
{
    struct fixture *fixture = *state;
    make_prefix(fixture);
    make_file(fixture, "p/append.4.raw");
    make_file(fixture, "p/append.3.raw");
    unsigned buckets = 0;
    assert_int_equal(prefix_resolve(fixture->root, "p", 128, true, &buckets), 0);
    assert_int_equal(buckets, 5);
    assert_int_equal(count_entries(fixture), 5);
    assert_true(exists(fixture, "p/append.0.raw"));
    assert_true(exists(fixture, "p/append.1.raw"));
    assert_true(exists(fixture, "p/append.2.raw"));
    assert_string_equal(manifest_text(fixture), "rochefort 1\nbuckets 5\nhash xxh3\n");
}

static void remove_files(const struct fixture *fixture, unsigned buckets)
{
    for (unsigned i = 0; i < buckets; i++) {
        char file[BUCKET_FILE_NAME_BYTES + 2] = "p/";
        bucket_file_name(i, file + 2);
        assert_int_equal(unlink(in(fixture, file)), 0);
    }
}

static void manifest_is_written_once_all_files_are_there(void **state)
{
    struct fixture *fixture = *state;
    unsigned buckets;
    make_prefix(fixture);
    make_file(fixture, "p/append.4.raw");
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, false, &buckets), STORE_NO_PREFIX);
    assert_string_equal(manifest_text(fixture), ""); /* a read changes nothing */
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), 0);
    assert_int_equal(buckets, 5);
    assert_string_equal(manifest_text(fixture), "rochefort 1\nbuckets 5\nhash xxh3\n");
    remove_files(fixture, 5);
    assert_int_equal(prefix_resolve(fixture->root, "p", 7, false, &buckets), STORE_NO_PREFIX);
    assert_string_equal(manifest_text(fixture), "rochefort 1\nbuckets 5\nhash xxh3\n");
    assert_int_equal(prefix_resolve(fixture->root, "p", 7, true, &buckets), 0);
    assert_int_equal(buckets, 7);
    assert_string_equal(manifest_text(fixture), "rochefort 1\nbuckets 7\nhash xxh3\n");
}

/* Which file an id is in is not known, so nothing is made. */
static void records_without_a_manifest_are_refused(void **state)
{
    struct fixture *fixture = *state;
    unsigned buckets;
    make_prefix(fixture);
    make_record(fixture, "p/append.0.raw");
    for (int create = 0; create < 2; create++)
        assert_int_equal(prefix_resolve(fixture->root, "p", 9, create, &buckets),
                         STORE_NO_MANIFEST);
    make_file(fixture, "p/append.1.raw");
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), STORE_NO_MANIFEST);
    assert_string_equal(manifest_text(fixture), "");
    write_file(fixture, "p/MANIFEST", "");
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), STORE_MANIFEST_TORN);
    write_file(fixture, "p/MANIFEST", "rochefort 1\nbuckets 2\nhash fnv1a\n");
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), 0);
    assert_int_equal(buckets, 2);
}

static void prefix_of_an_earlier_server_gets_its_manifest(void **state)
{
    struct fixture *fixture = *state;
    unsigned buckets;
    for (int create = 0; create < 2; create++) {
        make_prefix(fixture);
        set_buckets_attribute(fixture, 2);
        make_record(fixture, "p/append.0.raw");
        make_record(fixture, "p/append.1.raw");
        assert_int_equal(prefix_resolve(fixture->root, "p", 9, create, &buckets), 0);
        assert_int_equal(buckets, 2);
        assert_string_equal(manifest_text(fixture), "rochefort 1\nbuckets 2\nhash xxh3\n");
        assert_int_equal(temporary_empty(in(fixture, "p")), 0);
    }
    make_prefix(fixture);
    set_buckets_attribute(fixture, 3); /* which must fit */
    make_record(fixture, "p/append.0.raw");
    make_record(fixture, "p/append.1.raw");
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), STORE_FILES_MISSING);
    make_record(fixture, "p/append.2.raw");
    make_record(fixture, "p/append.3.raw");
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets), STORE_FILES_ADDITIONAL);
    assert_string_equal(manifest_text(fixture), "");
    static const uint8_t wrong[] = {1, 2, 3, 4, 5, 6, 7, 8};
    assert_int_equal(setxattr(in(fixture, "p"), "user.rochefort.buckets", wrong, 8, 0), 0);
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, true, &buckets),
                     STORE_NO_MANIFEST); /* not ours */
}

/* A power cut in between leaves an empty MANIFEST, and the attribute. */
static void taking_over_can_be_cut_short(void **state)
{
    struct fixture *fixture = *state;
    unsigned buckets;
    make_prefix(fixture);
    set_buckets_attribute(fixture, 1);
    make_record(fixture, "p/append.0.raw");
    write_file(fixture, "p/MANIFEST", "");
    assert_int_equal(prefix_resolve(fixture->root, "p", 9, false, &buckets), 0);
    assert_int_equal(buckets, 1);
    assert_string_equal(manifest_text(fixture), "rochefort 1\nbuckets 1\nhash xxh3\n");
}

static void reading_never_creates(void **state)
{
    struct fixture *fixture = *state;
    unsigned buckets = 99;
    assert_int_equal(prefix_resolve(fixture->root, "p", 3, false, &buckets), STORE_NO_PREFIX);
    assert_false(exists(fixture, "p"));
    make_prefix(fixture);
    assert_int_equal(prefix_resolve(fixture->root, "p", 3, false, &buckets), STORE_NO_PREFIX);
    assert_int_equal(count_entries(fixture), 0);
    make_file(fixture, "p/append.6.raw"); /* a creation cut short: no record is there */
    assert_int_equal(prefix_resolve(fixture->root, "p", 3, false, &buckets), STORE_NO_PREFIX);
    assert_int_equal(count_entries(fixture), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PREFIX_TEST(creation_makes_every_file),
        PREFIX_TEST(creation_makes_the_highest_file_first_and_the_manifest_last),
        PREFIX_TEST(creation_cut_short_is_completed),
        PREFIX_TEST(manifest_is_written_once_all_files_are_there),
        PREFIX_TEST(records_without_a_manifest_are_refused),
        PREFIX_TEST(prefix_of_an_earlier_server_gets_its_manifest),
        PREFIX_TEST(taking_over_can_be_cut_short),
        PREFIX_TEST(reading_never_creates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
