/*
 * Tests of store/slots: in which slot an id is, and whether it is held.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "store/slots.h"

#define LONG_ID_BYTES 1000

/* XXH32 from the program xxhsum -H32. */
static const struct {
    const char *id;
    uint32_t xxh32;
} table[] = {
    {"", 0x02cc5d05},
    {"a", 0x550d7456},
    {"some id", 0x191e1894},
    {"\xc3\xbc", 0x5117339c},
    {"\xf0\x9f\x98\x80", 0x433940bc},
    {"\xff\x01", 0x55ff4ac7},
    {"550e8400-e29b-41d4-a716-446655440000", 0x4ced6d81},
    /* one byte longer than the copy in an id_hash */
    {"0123456789012345678901234567890123456789", 0x5ff33eb2},
};

static void an_id_is_in_the_slot_of_its_hash(void **state)
{
    (void)state;
    static const unsigned counts[] = {1, 3, 4096, SLOTS_MAX};
    char id[LONG_ID_BYTES];
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        size_t bytes = strlen(table[i].id);
        memcpy(id, table[i].id, bytes);
        struct id_hash hash = id_hash_of(id, bytes);
        memset(id, 0, bytes); /* the id itself is not needed any more */
        for (size_t j = 0; j < sizeof(counts) / sizeof(counts[0]); j++) {
            struct slots slots = {.count = counts[j], .last = counts[j] - 1};
            assert_int_equal(slots_of(&slots, &hash), table[i].xxh32 % counts[j]);
            assert_true(slots_hold(&slots, &hash));
        }
    }
    memset(id, 'x', sizeof(id));
    struct id_hash hash = id_hash_of(id, sizeof(id));
    assert_int_equal(id_hash_xxh32(&hash), 0x73bcd817);
}

/* Both ends belong to what is held. */
static void slots_are_held_from_the_first_to_the_last(void **state)
{
    (void)state;
    const struct id_hash hash = id_hash_of("a", 1);
    const unsigned slot = 0x550d7456 % 4096;
    static const struct {
        int first, last; /* from `slot` on */
        bool held;
    } ranges[] = {{0, 0, true},  {-1, 0, true}, {0, 1, true},
                  {-5, 5, true}, {1, 5, false}, {-5, -1, false}};
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        const struct slots slots = {.count = 4096,
                                    .first = (unsigned)((int)slot + ranges[i].first),
                                    .last = (unsigned)((int)slot + ranges[i].last)};
        assert_int_equal(slots_hold(&slots, &hash), ranges[i].held);
    }
    assert_true(slots_hold(&(struct slots){0}, &hash)); /* without slots every id is held */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_in_the_slot_of_its_hash),
        cmocka_unit_test(slots_are_held_from_the_first_to_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
