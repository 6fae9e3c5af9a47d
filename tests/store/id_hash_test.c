/*
 * Tests of store/id_hash and of the bucket that a manifest gives an id.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "store/manifest.h"

/* FNV-1a from the list of its authors, http://www.isthe.com/chongo/src/fnv/test_fnv.c; XXH3
 * and XXH32 from the program xxhsum -H3 and -H32. */
static const struct {
    const char *id;
    uint32_t fnv1a;
    uint64_t xxh3;
    uint32_t xxh32;
} table[] = {
    {"", 0x811c9dc5, 0x2d06800538d394c2, 0x02cc5d05},
    {"a", 0xe40c292c, 0xe6c632b61e964e1f, 0x550d7456},
    {"foobar", 0xbf9cf968, 0xd78fda63144c5c84, 0xeda34aaf},
    {"hello", 0x4f9f2cab, 0x9555e8555c62dcfd, 0xfb0077f9},
};

static void hashes_are_those_of_the_standards(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct id_hash hash = id_hash_of(table[i].id, strlen(table[i].id));
        assert_int_equal(id_hash_fnv1a(&hash), table[i].fnv1a);
        assert_int_equal(id_hash_xxh32(&hash), table[i].xxh32);
        if (hash.xxh3 != table[i].xxh3)
            fail_msg("XXH3 of \"%s\"", table[i].id);
    }
    /* all bytes of an id count, also over 127 */
    struct id_hash hash = id_hash_of("\xff\x00\x01", 3);
    assert_int_equal(id_hash_fnv1a(&hash), 0x246d9f91);
}

/* Of ids up to some length FNV-1a is computed later, but it is that of the whole id. */
static void ids_of_every_length(void **state)
{
    (void)state;
    char id[3 * ID_HASH_COPY_BYTES];
    uint32_t expected = 2166136261;
    for (size_t bytes = 0; bytes < sizeof(id); bytes++) {
        struct id_hash hash = id_hash_of(id, bytes);
        memset(id, 0, bytes); /* the id itself is not needed any more */
        assert_int_equal(id_hash_fnv1a(&hash), expected);
        for (size_t i = 0; i <= bytes; i++)
            id[i] = (char)(i * 7 + 200);
        expected = (expected ^ (unsigned char)id[bytes]) * 16777619;
    }
}

static void manifest_picks_the_bucket(void **state)
{
    (void)state;
    static const unsigned buckets[] = {1, 8, 10, 128, 65536};
    for (size_t i = 0; i < sizeof(buckets) / sizeof(buckets[0]); i++) {
        for (size_t j = 0; j < sizeof(table) / sizeof(table[0]); j++) {
            const struct id_hash hash = id_hash_of(table[j].id, strlen(table[j].id));
            struct manifest manifest = {.buckets = buckets[i], .hash = MANIFEST_FNV1A};
            assert_int_equal(manifest_bucket(&manifest, &hash), table[j].fnv1a % buckets[i]);
            manifest.hash = MANIFEST_XXH3;
            assert_int_equal(manifest_bucket(&manifest, &hash), table[j].xxh3 % buckets[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_those_of_the_standards),
        cmocka_unit_test(ids_of_every_length),
        cmocka_unit_test(manifest_picks_the_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
