/*
 * Tests of store/record: the exact bytes on disk, and that no damaged header
 * is believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "store/error.h"
#include "store/record.h"

/* Header 1: every byte has another value, so each offset is told apart. */
static const struct record_header numbered = {0x04030201, 0x0c0b0a0908070605};
/* The sum is that of Python's zlib.crc32(bytes(range(1, 13))) = 0x925fc655. */
static const uint8_t numbered_bytes[RECORD_HEADER_BYTES] = {1, 2,  3,  4,  5,    6,    7,    8,
                                                            9, 10, 11, 12, 0x55, 0xc6, 0x5f, 0x92};

/* Header 2: 5 bytes at 2018-02-10 10:46:21 UTC, summed the same way: 0x07f439a1. */
static const struct record_header dated = {5, 1518259581000000000};
static const uint8_t dated_bytes[RECORD_HEADER_BYTES] = {
    5, 0, 0, 0, 0x00, 0xa2, 0x56, 0x7a, 0x0b, 0xf1, 0x11, 0x15, 0xa1, 0x39, 0xf4, 0x07};

/* IEEE crc32 a bit at a time, from its definition; zlib has no part in it. */
static uint32_t slow_crc32(const uint8_t *bytes, size_t length)
{
    uint32_t sum = 0xffffffff;
    for (size_t i = 0; i < length; i++) {
        sum ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            sum = sum & 1 ? sum >> 1 ^ 0xedb88320 : sum >> 1;
    }
    return ~sum;
}

static void put_sum(uint8_t header[RECORD_HEADER_BYTES])
{
    uint32_t sum = slow_crc32(header, 12);
    for (int i = 0; i < 4; i++)
        header[12 + i] = (uint8_t)(sum >> 8 * i);
}

static void sizes_are_those_of_the_format(void **state)
{
    (void)state;
    assert_int_equal(RECORD_HEADER_BYTES, 16);
    assert_int_equal(RECORD_VALUE_BYTES_MAX, 4294967295);
}

static void every_byte_has_its_place(void **state)
{
    (void)state;
    uint8_t bytes[RECORD_HEADER_BYTES + 1];
    bytes[RECORD_HEADER_BYTES] = 0xaa;
    record_header_encode(&numbered, bytes);
    for (int i = 0; i < RECORD_HEADER_BYTES; i++)
        assert_int_equal(bytes[i], numbered_bytes[i]);
    assert_int_equal(bytes[RECORD_HEADER_BYTES], 0xaa);
}

static void golden_header_is_read(void **state)
{
    (void)state;
    struct record_header header;
    assert_int_equal(record_header_decode(numbered_bytes, 0, &header), 0);
    assert_int_equal(header.value_bytes, 0x04030201);
    assert_true(header.time_ns == 0x0c0b0a0908070605);
}

static void header_can_lie_anywhere_in_memory(void **state)
{
    (void)state;
    uint8_t room[RECORD_HEADER_BYTES + 8];
    for (size_t shift = 0; shift < 8; shift++) {
        struct record_header header = {0};
        record_header_encode(&dated, room + shift);
        assert_memory_equal(room + shift, dated_bytes, RECORD_HEADER_BYTES);
        assert_int_equal(record_header_decode(room + shift, 0, &header), 0);
        assert_int_equal(header.value_bytes, dated.value_bytes);
        assert_true(header.time_ns == dated.time_ns);
    }
}

static void sum_is_ieee_crc32_of_the_first_12_bytes(void **state)
{
    (void)state;
    uint64_t random = 88172645463325252; /* xorshift64 */
    for (int round = 0; round < 1000; round++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        struct record_header header = {(uint32_t)(random >> 32) | 1, random * 0x9e3779b97f4a7c15};
        uint8_t bytes[RECORD_HEADER_BYTES], expected[RECORD_HEADER_BYTES];
        record_header_encode(&header, bytes);
        for (int i = 0; i < 4; i++)
            expected[i] = (uint8_t)(header.value_bytes >> 8 * i);
        for (int i = 0; i < 8; i++)
            expected[4 + i] = (uint8_t)(header.time_ns >> 8 * i);
        put_sum(expected);
        assert_memory_equal(bytes, expected, sizeof(bytes));
    }
}

static void extremes_go_both_ways(void **state)
{
    (void)state;
    static const struct record_header extremes[] = {
        {1, 0}, {1, UINT64_MAX}, {UINT32_MAX, 0}, {UINT32_MAX, UINT64_MAX}, {0x80000000, 1}};
    for (size_t i = 0; i < sizeof(extremes) / sizeof(extremes[0]); i++) {
        uint8_t bytes[RECORD_HEADER_BYTES];
        struct record_header header = {0};
        record_header_encode(&extremes[i], bytes);
        assert_int_equal(record_header_decode(bytes, 0, &header), 0);
        assert_int_equal(header.value_bytes, extremes[i].value_bytes);
        assert_true(header.time_ns == extremes[i].time_ns);
    }
}

static void assert_refused(const uint8_t bytes[RECORD_HEADER_BYTES])
{
    struct record_header header = {77, 78};
    assert_int_equal(record_header_decode(bytes, UINT64_MAX, &header), STORE_BAD_HEADER);
    assert_int_equal(header.value_bytes, 77);
    assert_int_equal(header.time_ns, 78);
}

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    for (int bit = 0; bit < RECORD_HEADER_BYTES * 8; bit++) {
        uint8_t bytes[RECORD_HEADER_BYTES];
        memcpy(bytes, numbered_bytes, sizeof(bytes));
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_refused(bytes);
    }
}

static void every_pair_of_flipped_bits_is_refused(void **state)
{
    (void)state;
    for (int first = 0; first < RECORD_HEADER_BYTES * 8; first++) {
        for (int second = 0; second < first; second++) {
            uint8_t bytes[RECORD_HEADER_BYTES];
            memcpy(bytes, numbered_bytes, sizeof(bytes));
            bytes[first / 8] ^= (uint8_t)(1U << first % 8);
            bytes[second / 8] ^= (uint8_t)(1U << second % 8);
            assert_refused(bytes);
        }
    }
}

static void length_0_is_a_gap_or_an_empty_record(void **state)
{
    (void)state;
    uint8_t bytes[RECORD_HEADER_BYTES] = {0, 0, 0, 0, 5, 6, 7, 8, 9, 10, 11, 12};
    const uint64_t time = 0x0c0b0a0908070605;
    put_sum(bytes);
    assert_refused(bytes);
    static const struct {
        uint64_t left;
        int error;
    } table[] = {{UINT64_MAX, STORE_BAD_HEADER},
                 {time, STORE_BAD_HEADER}, /* the gap ends where the file ends */
                 {time - 1, 0},            /* the file is too short to hold such a gap */
                 {0, 0}};
    struct record_header header;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(record_header_decode(bytes, table[i].left, &header), table[i].error);
    assert_int_equal(header.value_bytes, 0);
    assert_true(header.time_ns == time);
    bytes[0] = 1; /* the same with another length is a record of that length */
    put_sum(bytes);
    assert_int_equal(record_header_decode(bytes, UINT64_MAX, &header), 0);
}

static void zeros_and_ones_are_no_header(void **state)
{
    (void)state;
    uint8_t bytes[RECORD_HEADER_BYTES] = {0};
    assert_refused(bytes);
    memset(bytes, 0xff, sizeof(bytes));
    assert_refused(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_those_of_the_format),
        cmocka_unit_test(every_byte_has_its_place),
        cmocka_unit_test(golden_header_is_read),
        cmocka_unit_test(header_can_lie_anywhere_in_memory),
        cmocka_unit_test(sum_is_ieee_crc32_of_the_first_12_bytes),
        cmocka_unit_test(extremes_go_both_ways),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(every_pair_of_flipped_bits_is_refused),
        cmocka_unit_test(length_0_is_a_gap_or_an_empty_record),
        cmocka_unit_test(zeros_and_ones_are_no_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
