/*
 * Tests of store/manifest: which texts are a MANIFEST, and that what is written is read back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/prefix_fixture.h"

#define HEAD "rochefort 1\nbuckets 128\n"
#define TEXT(text) (text), sizeof(text) - 1

static void texts_are_taken_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
        int error;
    } table[] = {
        {TEXT(HEAD "hash xxh3\n"), 0},
        {TEXT(HEAD "hash fnv1a\n"), 0},
        {TEXT("rochefort 1\nbuckets 1\nhash xxh3\n"), 0},
        {TEXT("rochefort 1\nbuckets 65536\nhash xxh3\n"), 0},
        {TEXT(HEAD "hash xxh3\nslots 0-1365/4096\n"), 0},
        {TEXT(HEAD "hash xxh3\nslots 0-0/1\n"), 0},
        {TEXT("rochefort 1\nbuckets 65536\nhash fnv1a\nslots 65535-65535/65536\n"), 0},

        /* nothing, or what a power cut leaves of a file whose length was written */
        {TEXT(""), STORE_MANIFEST_TORN},
        {TEXT("\0"), STORE_MANIFEST_TORN},
        {TEXT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), STORE_MANIFEST_TORN},

        {TEXT("rochefort 2\n"), STORE_MANIFEST_LATER},
        {TEXT("rochefort 2"), STORE_MANIFEST_LATER},
        {TEXT("rochefort 10\nbuckets 128\nhash xxh3\n"), STORE_MANIFEST_LATER},
        {TEXT("rochefort 99999999999999999999999999999999\nshards 3\n"), STORE_MANIFEST_LATER},

        /* the first line */
        {TEXT("rochefort 0\nbuckets 128\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort 01\nbuckets 128\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort +1\nbuckets 128\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort -1\nbuckets 128\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort 1.0\nbuckets 128\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort 2x\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort  1\nbuckets 128\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort 1 \nbuckets 128\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT(" rochefort 1\nbuckets 128\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("Rochefort 1\nbuckets 128\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("\nrochefort 1\nbuckets 128\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort\n"), STORE_MANIFEST_INVALID},
        {TEXT("\xef\xbb\xbfrochefort 1\nbuckets 128\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("garbage"), STORE_MANIFEST_INVALID},
        {TEXT("\n"), STORE_MANIFEST_INVALID},
        {TEXT("\0rochefort 1\n"), STORE_MANIFEST_INVALID},
        {TEXT("\xff\xff\xff\xff"), STORE_MANIFEST_INVALID},

        /* numbers */
        {TEXT("rochefort 1\nbuckets 0\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort 1\nbuckets 65537\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort 1\nbuckets 4294967297\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort 1\nbuckets 18446744073709551617\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort 1\nbuckets 00128\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort 1\nbuckets 0x80\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort 1\nbuckets -1\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort 1\nbuckets 1e2\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort 1\nbuckets 128 \nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort 1\nbuckets\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort 1\nbuckets \nhash xxh3\n"), STORE_MANIFEST_INVALID},

        /* hashes */
        {TEXT(HEAD "hash xxh32\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash XXH3\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash fnv1\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash md5\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash \n"), STORE_MANIFEST_INVALID},

        /* lines: missing, twice, in another order, unknown */
        {TEXT("rochefort 1\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT("buckets 128\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "slots 0-1/2\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "buckets 128\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash xxh3\nhash xxh3\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash xxh3\nslots 0-1/2\nslots 0-1/2\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort 1\nhash xxh3\nbuckets 128\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash xxh3\nowner me\n"), STORE_MANIFEST_INVALID},

        /* trailing bytes */
        {TEXT(HEAD "hash xxh3\n\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash xxh3\n "), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash xxh3\n\0"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash xxh3\0\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash xxh3\nslots 0-1/2\n\n"), STORE_MANIFEST_INVALID},

        /* as an editor or a transfer may have left it */
        {TEXT("rochefort 1\r\nbuckets 128\r\nhash xxh3\r\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash xxh3\r\n"), STORE_MANIFEST_INVALID},
        {TEXT("rochefort 1\rbuckets 128\rhash xxh3\r"), STORE_MANIFEST_INVALID},

        /* slots */
        {TEXT(HEAD "hash xxh3\nslots 2-1/4\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash xxh3\nslots 0-4/4\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash xxh3\nslots 0-0/0\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash xxh3\nslots 0-1/65537\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash xxh3\nslots 0/4\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash xxh3\nslots 0-3\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash xxh3\nslots 0-3/4/5\n"), STORE_MANIFEST_INVALID},
        {TEXT(HEAD "hash xxh3\nslots 00-3/4\n"), STORE_MANIFEST_INVALID},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct manifest manifest;
        int error = manifest_parse(table[i].text, table[i].bytes, &manifest);
        if (error != table[i].error)
            fail_msg("text %zu, \"%s\": %s", i, table[i].text, store_error_text(error));
    }
}

static const struct manifest manifests[] = {
    {.buckets = 1, .hash = MANIFEST_XXH3},
    {.buckets = 10, .hash = MANIFEST_FNV1A},
    {.buckets = 128, .hash = MANIFEST_XXH3, .slots = {.count = 4096, .first = 0, .last = 1365}},
    {.buckets = 65536,
     .hash = MANIFEST_FNV1A,
     .slots = {.count = 65536, .first = 65535, .last = 65535}},
};

static void what_is_formatted_is_parsed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(manifests) / sizeof(manifests[0]); i++) {
        char text[MANIFEST_BYTES_MAX];
        struct manifest parsed;
        size_t bytes = manifest_format(&manifests[i], text);
        assert_true(bytes < MANIFEST_BYTES_MAX);
        assert_int_equal(manifest_parse(text, bytes, &parsed), 0);
        assert_true(manifest_equal(&parsed, &manifests[i]));
        for (size_t j = 0; j < sizeof(manifests) / sizeof(manifests[0]); j++)
            assert_int_equal(manifest_equal(&parsed, &manifests[j]), i == j);
    }
    char text[MANIFEST_BYTES_MAX];
    static const char expected[] = "rochefort 1\nbuckets 128\nhash xxh3\nslots 0-1365/4096\n";
    assert_int_equal(manifest_format(&manifests[2], text), sizeof(expected) - 1);
    assert_memory_equal(text, expected, sizeof(expected) - 1);
}

/* Each beginning is torn, and never taken for whole, but for the one that lacks the slots. */
static void every_beginning_is_torn(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(manifests) / sizeof(manifests[0]); i++) {
        char text[MANIFEST_BYTES_MAX];
        size_t bytes = manifest_format(&manifests[i], text);
        const char *slots = memmem(text, bytes, "slots", 5);
        for (size_t cut = 0; cut < bytes; cut++) {
            struct manifest parsed;
            int error = manifest_parse(text, cut, &parsed);
            assert_int_equal(error, text + cut == slots ? 0 : STORE_MANIFEST_TORN);
        }
    }
}

static void every_changed_byte_is_noticed(void **state)
{
    (void)state;
    char text[MANIFEST_BYTES_MAX];
    const size_t bytes = manifest_format(&manifests[2], text);
    for (size_t at = 0; at < bytes; at++) {
        char changed[MANIFEST_BYTES_MAX];
        for (int value = 0; value < 256; value++) {
            struct manifest parsed;
            memcpy(changed, text, bytes);
            changed[at] = (char)value;
            int error = manifest_parse(changed, bytes, &parsed);
            bool same = changed[at] == text[at];
            if (error == 0 && !same && manifest_equal(&parsed, &manifests[2]))
                fail_msg("byte %zu may be %d", at, value);
            if (same)
                assert_int_equal(error, 0);
        }
    }
}

static void words_of_the_command_line(void **state)
{
    (void)state;
    enum manifest_hash hash;
    assert_true(manifest_parse_hash("xxh3", &hash));
    assert_int_equal(hash, MANIFEST_XXH3);
    assert_true(manifest_parse_hash("fnv1a", &hash));
    assert_int_equal(hash, MANIFEST_FNV1A);
    assert_string_equal(manifest_hash_name(MANIFEST_FNV1A), "fnv1a");
    static const char *const no_hashes[] = {"", "xxh", "xxh3 ", "XXH3", "fnv", "fnv1a\n"};
    for (size_t i = 0; i < sizeof(no_hashes) / sizeof(no_hashes[0]); i++)
        assert_false(manifest_parse_hash(no_hashes[i], &hash));
    struct slots slots;
    assert_true(manifest_parse_slots("3-1365/4096", &slots));
    assert_int_equal(slots.first, 3);
    assert_int_equal(slots.last, 1365);
    assert_int_equal(slots.count, 4096);
    static const char *const no_slots[] = {"",      "1",     "1-2",    "1-2/",
                                           "2-1/4", "0-4/4", "0-3/4 ", "-1-3/4"};
    for (size_t i = 0; i < sizeof(no_slots) / sizeof(no_slots[0]); i++)
        assert_false(manifest_parse_slots(no_slots[i], &slots));
}

static int read_manifest(struct fixture *fixture, struct manifest *manifest)
{
    int fd = open(in(fixture, "p"), O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    int error = manifest_read(fd, manifest);
    assert_int_equal(close(fd), 0);
    return error;
}

static void file_is_written_and_read(void **state)
{
    struct fixture *fixture = *state;
    struct manifest found;
    make_prefix(fixture);
    assert_int_equal(read_manifest(fixture, &found), STORE_NO_MANIFEST);
    int fd = open(in(fixture, "p"), O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    make_file(fixture, "p/.MANIFEST.new"); /* a kill has left it */
    for (size_t i = 0; i < sizeof(manifests) / sizeof(manifests[0]); i++) {
        assert_int_equal(manifest_write(fixture->root, "p", fd, &manifests[i]), 0);
        assert_false(exists(fixture, "p/.MANIFEST.new"));
        assert_int_equal(manifest_read(fd, &found), 0);
        assert_true(manifest_equal(&found, &manifests[i]));
    }
    assert_int_equal(manifest_remove(fd), 0);
    assert_false(exists(fixture, "p/MANIFEST"));
    assert_int_equal(manifest_remove(fd), 0);
    assert_int_equal(close(fd), 0);
}

static void what_is_no_file_is_unreadable(void **state)
{
    struct fixture *fixture = *state;
    struct manifest found;
    make_prefix(fixture);
    write_file(fixture, "other", "rochefort 1\nbuckets 1\nhash xxh3\n");
    assert_int_equal(symlink("../other", in(fixture, "p/MANIFEST")), 0);
    assert_int_equal(read_manifest(fixture, &found), STORE_MANIFEST_UNREADABLE);
    assert_int_equal(unlink(in(fixture, "p/MANIFEST")), 0);
    assert_int_equal(mkdir(in(fixture, "p/MANIFEST"), 0700), 0);
    assert_int_equal(read_manifest(fixture, &found), STORE_MANIFEST_UNREADABLE);
    assert_int_equal(rmdir(in(fixture, "p/MANIFEST")), 0);
    assert_int_equal(mkfifo(in(fixture, "p/MANIFEST"), 0600), 0);
    assert_int_equal(read_manifest(fixture, &found), STORE_MANIFEST_UNREADABLE); /* and at once */
}

static void a_long_file_is_not_read_to_its_end(void **state)
{
    struct fixture *fixture = *state;
    struct manifest found;
    char text[3 * MANIFEST_BYTES_MAX];
    make_prefix(fixture);
    size_t bytes = manifest_format(&manifests[0], text);
    memset(text + bytes, '\n', sizeof(text) - bytes);
    text[sizeof(text) - 1] = '\0';
    write_file(fixture, "p/MANIFEST", text);
    assert_int_equal(read_manifest(fixture, &found), STORE_MANIFEST_INVALID);
    memcpy(text, "rochefort 3\n", 12);
    write_file(fixture, "p/MANIFEST", text);
    assert_int_equal(read_manifest(fixture, &found), STORE_MANIFEST_LATER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_taken_or_refused),
        cmocka_unit_test(what_is_formatted_is_parsed),
        cmocka_unit_test(every_beginning_is_torn),
        cmocka_unit_test(every_changed_byte_is_noticed),
        cmocka_unit_test(words_of_the_command_line),
        PREFIX_TEST(file_is_written_and_read),
        PREFIX_TEST(what_is_no_file_is_unreadable),
        PREFIX_TEST(a_long_file_is_not_read_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
