/* Tests of store/neighbours: what is read together is what single reads find, and no more of it. */
#include "store/neighbours.h"

#include <endian.h>

#include "store/one_bucket.h"
#include "store/record.h"

#define EACH_BYTES 1024

static size_t count_of(const int64_t *offsets, size_t count)
{
    uint64_t little[256];
    for (size_t i = 0; i < count; i++)
        little[i] = htole64((uint64_t)offsets[i]);
    return neighbours_count(little, count, EACH_BYTES);
}

static void neighbours_are_in_order_and_close(void **state)
{
    (void)state;
    assert_int_equal(count_of((int64_t[]){0}, 1), 1);
    assert_int_equal(count_of((int64_t[]){0, 1024, 2048}, 3), 3);
    assert_int_equal(count_of((int64_t[]){0, 1024, 2049}, 3), 2);
    assert_int_equal(count_of((int64_t[]){0, 1025}, 2), 1);
    assert_int_equal(count_of((int64_t[]){100, 200, 200}, 3), 2);
    assert_int_equal(count_of((int64_t[]){100, 200, 150}, 3), 2);
    assert_int_equal(count_of((int64_t[]){INT64_MAX - 100, INT64_MAX}, 2), 1);
    assert_int_equal(count_of((int64_t[]){-100, -50}, 2), 1);
    assert_int_equal(count_of((int64_t[]){0, -1}, 2), 1);
}

static void a_read_takes_a_bounded_part(void **state)
{
    (void)state;
    int64_t offsets[256];
    for (size_t i = 0; i < 256; i++)
        offsets[i] = (int64_t)(i * 100);
    size_t count = count_of(offsets, 256);
    assert_true(offsets[count - 1] + EACH_BYTES <= NEIGHBOURS_BYTES);
    assert_true(offsets[count] + EACH_BYTES > NEIGHBOURS_BYTES);
}

/* Three records; with what is found of each, value and time are those of bucket_read. */
static void read_three(struct one_bucket *fixture, struct neighbours *neighbours,
                       int64_t offsets[3])
{
    uint64_t little[3];
    offsets[0] = one_bucket_append(fixture, "first", 5);
    offsets[1] = one_bucket_append(fixture, "second", 6);
    offsets[2] = one_bucket_append(fixture, "third", 5);
    for (size_t i = 0; i < 3; i++)
        little[i] = htole64((uint64_t)offsets[i]);
    neighbours_read(neighbours, fixture->bucket, little, 3, EACH_BYTES, false);
}

static bool find(struct one_bucket *fixture, const struct neighbours *neighbours, int64_t offset,
                 size_t capacity)
{
    char one[64], other[64];
    struct bucket_value found, read;
    if (!neighbours_find(neighbours, fixture->bucket, offset, one, capacity, &found))
        return false;
    assert_int_equal(bucket_read(fixture->bucket, offset, other, capacity, false, &read), 0);
    assert_int_equal(found.value_bytes, read.value_bytes);
    assert_int_equal(found.read_bytes, read.read_bytes);
    assert_int_equal(found.time_ns, read.time_ns);
    assert_memory_equal(one, other, found.read_bytes);
    return true;
}

static void finds_what_single_reads_find(void **state)
{
    struct one_bucket *fixture = *state;
    struct neighbours neighbours;
    int64_t offsets[3];
    read_three(fixture, &neighbours, offsets);
    assert_int_equal(neighbours.begin, 0);
    assert_int_equal(neighbours.bytes, one_bucket_bytes(fixture));
    for (size_t i = 0; i < 3; i++)
        assert_true(find(fixture, &neighbours, offsets[i], 6));
}

static void leaves_all_else_to_single_reads(void **state)
{
    struct one_bucket *fixture = *state;
    struct neighbours neighbours;
    int64_t offsets[3];
    read_three(fixture, &neighbours, offsets);
    assert_false(find(fixture, &neighbours, offsets[1], 5)); /* it does not fit */
    assert_false(find(fixture, &neighbours, offsets[1] + 1, 64));
    assert_false(find(fixture, &neighbours, -1, 64));
    assert_false(find(fixture, &neighbours, INT64_MIN, 64));
    assert_false(find(fixture, &neighbours, INT64_MAX, 64));
    neighbours.bytes--; /* of the last one a byte is missing */
    assert_true(find(fixture, &neighbours, offsets[1], 64));
    assert_false(find(fixture, &neighbours, offsets[2], 64));
    neighbours.bytes = (size_t)offsets[2] + RECORD_HEADER_BYTES - 1;
    assert_false(find(fixture, &neighbours, offsets[2], 64));
}

static void a_damaged_header_is_no_record(void **state)
{
    struct one_bucket *fixture = *state;
    struct neighbours neighbours;
    int64_t offsets[3];
    read_three(fixture, &neighbours, offsets);
    neighbours.data[offsets[1] + 4] ^= 1;
    assert_true(find(fixture, &neighbours, offsets[0], 64));
    assert_false(find(fixture, &neighbours, offsets[1], 64));
    assert_true(find(fixture, &neighbours, offsets[2], 64));
}

static void nothing_is_behind_the_tail(void **state)
{
    struct one_bucket *fixture = *state;
    struct neighbours neighbours;
    uint64_t offset = htole64(40);
    one_bucket_append(fixture, "first", 5);
    neighbours_read(&neighbours, fixture->bucket, &offset, 1, EACH_BYTES, false);
    assert_int_equal(neighbours.bytes, 0);
    assert_false(find(fixture, &neighbours, 40, 64));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_are_in_order_and_close),
        cmocka_unit_test(a_read_takes_a_bounded_part),
        cmocka_unit_test_setup_teardown(finds_what_single_reads_find, one_bucket_set_up,
                                        one_bucket_tear_down),
        cmocka_unit_test_setup_teardown(leaves_all_else_to_single_reads, one_bucket_set_up,
                                        one_bucket_tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_header_is_no_record, one_bucket_set_up,
                                        one_bucket_tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_behind_the_tail, one_bucket_set_up,
                                        one_bucket_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
