/*
 * Tests of base/utf8: every sequence of bytes up to four, by what its bits say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/utf8.h"

/* The least and the most code points that a sequence of so many bytes is for. */
static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
static const uint32_t most[] = {0, 0x7f, 0x7ff, 0xffff, 0x10ffff};
static const unsigned char first_bits[] = {0, 0, 0xc0, 0xe0, 0xf0};

static size_t write_bits(uint32_t point, size_t bytes, char out[4])
{
    for (size_t i = bytes; i-- > 1; point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(first_bits[bytes] | point);
    return bytes;
}

/* Written with more bytes than needed, a surrogate, or beyond the last: not well-formed. */
static void each_code_point_has_one_form(void **state)
{
    (void)state;
    char text[4];
    for (size_t bytes = 1; bytes <= 4; bytes++) {
        const uint32_t end = bytes == 1 ? 0x80 : 1U << (5 * bytes + 1);
        for (uint32_t point = 0; point < end; point++) {
            size_t length = write_bits(point, bytes, text);
            int good =
                point >= least[bytes] && point <= most[bytes] && (point < 0xd800 || point > 0xdfff);
            assert_int_equal(utf8_character_bytes(text, length), good ? bytes : 0);
            for (size_t cut = 1; cut < length; cut++)
                assert_int_equal(utf8_character_bytes(text, cut), 0);
        }
    }
}

static void bytes_that_begin_no_character(void **state)
{
    (void)state;
    for (int first = 0x80; first < 0x100; first++) {
        const char text[4] = {(char)first, 'a', 'a', 'a'};
        assert_int_equal(utf8_character_bytes(text, sizeof(text)), 0);
    }
    for (int first = 0xf8; first < 0x100; first++) {
        char text[6];
        memset(text, 0x80, sizeof(text));
        text[0] = (char)first;
        assert_int_equal(utf8_character_bytes(text, sizeof(text)), 0);
    }
}

static void every_later_byte_must_be_one(void **state)
{
    (void)state;
    char text[4];
    for (size_t bytes = 2; bytes <= 4; bytes++) {
        for (size_t i = 1; i < bytes; i++) {
            for (int c = 0; c < 0x100; c++) {
                (void)write_bits(most[bytes] & ~0x3ffU, bytes, text);
                const unsigned char right = (unsigned char)text[i];
                text[i] = (char)c;
                if (c < 0x80 || c > 0xbf)
                    assert_int_equal(utf8_character_bytes(text, bytes), 0);
                text[i] = (char)right;
                assert_int_equal(utf8_character_bytes(text, bytes), bytes);
            }
        }
    }
}

static void what_follows_does_not_matter(void **state)
{
    (void)state;
    assert_int_equal(utf8_character_bytes("a\xff", 2), 1);
    assert_int_equal(utf8_character_bytes("\xc3\xa4\xff", 3), 2);
    assert_int_equal(utf8_character_bytes("\xe2\x82\xac\x80", 4), 3);
    assert_int_equal(utf8_character_bytes("\xf0\x9f\x98\x80\xc3", 5), 4);
    assert_int_equal(utf8_character_bytes("\0", 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_point_has_one_form),
        cmocka_unit_test(bytes_that_begin_no_character),
        cmocka_unit_test(every_later_byte_must_be_one),
        cmocka_unit_test(what_follows_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
