/*
 * Tests of store/inventory: what the files of a directory mean, with and without a MANIFEST.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/inventory.h"
#include "store/prefix_fixture.h"

#define XXH3_OF(buckets) "rochefort 1\nbuckets " buckets "\nhash xxh3\n"

/* Of the files "0 3 5" means append.0.raw, append.3.raw and append.5.raw, "3*" one with records. */
struct row {
    const char *files;
    const char *manifest; /* NULL: none */
    unsigned attribute;   /* 0: none */
    int error;
    unsigned buckets; /* if there is no error, or the creation was cut short */
    unsigned file;    /* what the error is about */
};

static const struct row rows[] = {
    /* without a MANIFEST */
    {"", NULL, 0, STORE_NO_PREFIX, 0, PREFIX_DIRECTORY},
    {"0", NULL, 0, STORE_INCOMPLETE, 1, PREFIX_DIRECTORY},
    {"7", NULL, 0, STORE_INCOMPLETE, 8, PREFIX_DIRECTORY},
    {"4 5 6 7", NULL, 0, STORE_INCOMPLETE, 8, PREFIX_DIRECTORY},
    {"0 1 2 3 4", NULL, 0, STORE_INCOMPLETE, 5, PREFIX_DIRECTORY},
    {"0 3 5", NULL, 0, STORE_INCOMPLETE, 6, PREFIX_DIRECTORY}, /* a power cut loses any of them */
    {"65535", NULL, 0, STORE_INCOMPLETE, 65536, PREFIX_DIRECTORY},
    {"0*", NULL, 0, STORE_NO_MANIFEST, 0, PREFIX_DIRECTORY},
    {"0 1 2*", NULL, 0, STORE_NO_MANIFEST, 0, PREFIX_DIRECTORY},
    {"0* 2", NULL, 0, STORE_NO_MANIFEST, 0, PREFIX_DIRECTORY},
    {"65535*", NULL, 0, STORE_NO_MANIFEST, 0, PREFIX_DIRECTORY},

    /* with one that says nothing */
    {"", "", 0, STORE_NO_PREFIX, 0, PREFIX_DIRECTORY},
    {"0 1", "", 0, STORE_INCOMPLETE, 2, PREFIX_DIRECTORY},
    {"0 1", "rochefort 1\nbuckets 2\nha", 0, STORE_INCOMPLETE, 2, PREFIX_DIRECTORY},
    {"0 1*", "", 0, STORE_MANIFEST_TORN, 0, PREFIX_MANIFEST},
    {"0 1*", "rochefort 1\nbuckets 2\nha", 0, STORE_MANIFEST_TORN, 0, PREFIX_MANIFEST},

    /* with one that is not understood: not even empty files are touched */
    {"", "garbage", 0, STORE_MANIFEST_INVALID, 0, PREFIX_MANIFEST},
    {"0 1", "garbage", 0, STORE_MANIFEST_INVALID, 0, PREFIX_MANIFEST},
    {"0 1*", "garbage", 0, STORE_MANIFEST_INVALID, 0, PREFIX_MANIFEST},
    {"", "rochefort 2\n", 0, STORE_MANIFEST_LATER, 0, PREFIX_MANIFEST},
    {"0 1", "rochefort 2\n", 0, STORE_MANIFEST_LATER, 0, PREFIX_MANIFEST},
    {"0 1*", "rochefort 2\n", 2, STORE_MANIFEST_LATER, 0, PREFIX_MANIFEST},

    /* with a good one */
    {"0 1*", XXH3_OF("2"), 0, 0, 2, PREFIX_DIRECTORY},
    {"0 1", XXH3_OF("2"), 0, 0, 2, PREFIX_DIRECTORY},
    {"0 1", XXH3_OF("2"), 9, 0, 2, PREFIX_DIRECTORY}, /* the attribute counts no more */
    {"", XXH3_OF("2"), 0, STORE_NO_PREFIX, 0, PREFIX_DIRECTORY},
    {"0", XXH3_OF("2"), 0, STORE_FILES_MISSING, 0, 1},
    {"1", XXH3_OF("2"), 0, STORE_FILES_MISSING, 0, 0},
    {"0* 2", XXH3_OF("3"), 0, STORE_FILES_MISSING, 0, 1},
    {"0 1 2", XXH3_OF("2"), 0, STORE_FILES_ADDITIONAL, 0, 2},
    {"0 1 9", XXH3_OF("2"), 0, STORE_FILES_ADDITIONAL, 0, 9},
    {"0 9", XXH3_OF("2"), 0, STORE_FILES_MISSING, 0, 1},

    /* of an earlier server */
    {"0* 1", NULL, 2, 0, 2, PREFIX_DIRECTORY},
    {"0 1", NULL, 2, 0, 2, PREFIX_DIRECTORY},
    {"0* 1", "", 2, 0, 2, PREFIX_DIRECTORY},
    {"0* 1", "garbage", 2, STORE_MANIFEST_INVALID, 0, PREFIX_MANIFEST},
    {"0* 1", NULL, 3, STORE_FILES_MISSING, 0, 2},
    {"0 1", NULL, 3, STORE_FILES_MISSING, 0, 2}, /* the lost one may have had records */
    {"1* 2", NULL, 3, STORE_FILES_MISSING, 0, 0},
    {"0* 1 2", NULL, 2, STORE_FILES_ADDITIONAL, 0, 2},
    {"0* 1", NULL, 65537, STORE_NO_MANIFEST, 0, PREFIX_DIRECTORY}, /* no such number */
    {"", NULL, 3, STORE_NO_PREFIX, 0, PREFIX_DIRECTORY},
};

static void make_files(const struct fixture *fixture, const char *files)
{
    for (const char *at = files; *at != '\0'; at += strspn(at, "* ")) {
        char *end, file[BUCKET_FILE_NAME_BYTES + 2] = "p/";
        bucket_file_name((unsigned)strtoul(at, &end, 10), file + 2);
        if (*end == '*')
            make_record(fixture, file);
        else
            make_file(fixture, file);
        at = end;
    }
}

static int take_and_check(const struct fixture *fixture, struct manifest *manifest, unsigned *file)
{
    static struct inventory inventory;
    int fd = open(in(fixture, "p"), O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    assert_int_equal(inventory_take(fd, &inventory), 0);
    assert_int_equal(close(fd), 0);
    return inventory_check(&inventory, manifest, file);
}

static void directories_mean_what_the_table_says(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct manifest manifest;
        unsigned file;
        make_prefix(fixture);
        make_files(fixture, row->files);
        if (row->manifest != NULL)
            write_file(fixture, "p/MANIFEST", row->manifest);
        if (row->attribute != 0)
            set_buckets_attribute(fixture, row->attribute);
        int error = take_and_check(fixture, &manifest, &file);
        if (error != row->error || file != row->file)
            fail_msg("row %zu: %s, about %u", i, store_error_text(error), file);
        if (row->buckets != 0) {
            assert_int_equal(manifest.buckets, row->buckets);
            assert_int_equal(manifest.hash, MANIFEST_XXH3);
        }
        assert_int_equal(temporary_empty(in(fixture, "p")), 0);
    }
}

static void manifest_says_the_hash_and_the_slots(void **state)
{
    struct fixture *fixture = *state;
    struct manifest manifest;
    unsigned file;
    make_prefix(fixture);
    make_files(fixture, "0*");
    write_file(fixture, "p/MANIFEST", "rochefort 1\nbuckets 1\nhash fnv1a\nslots 3-5/9\n");
    assert_int_equal(take_and_check(fixture, &manifest, &file), 0);
    static const struct manifest expected = {
        .buckets = 1, .hash = MANIFEST_FNV1A, .slots = {.count = 9, .first = 3, .last = 5}};
    assert_true(manifest_equal(&manifest, &expected));
}

/* It cannot be known what was in it. */
static void something_else_in_the_place_of_a_file(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        mode_t mode;
        int error;
    } kinds[] = {{S_IFDIR, -EISDIR}, {S_IFLNK, -ELOOP}, {S_IFIFO, STORE_NOT_REGULAR}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct manifest manifest;
        unsigned file;
        make_prefix(fixture);
        make_files(fixture, "0 2");
        const char *path = in(fixture, "p/append.1.raw");
        int made = kinds[i].mode == S_IFDIR   ? mkdir(path, 0700)
                   : kinds[i].mode == S_IFLNK ? symlink("append.0.raw", path)
                                              : mkfifo(path, 0600);
        assert_int_equal(made, 0);
        assert_int_equal(take_and_check(fixture, &manifest, &file), kinds[i].error);
        assert_int_equal(file, 1);
        assert_int_equal(unlink(in(fixture, "p/append.2.raw")), 0);
        make_record(fixture, "p/append.2.raw");
        assert_int_equal(take_and_check(fixture, &manifest, &file), STORE_NO_MANIFEST);
        assert_int_equal(temporary_empty(in(fixture, "p")), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PREFIX_TEST(directories_mean_what_the_table_says),
        PREFIX_TEST(manifest_says_the_hash_and_the_slots),
        PREFIX_TEST(something_else_in_the_place_of_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
