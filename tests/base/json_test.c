/*
 * Tests of base/json: for a path of any bytes the string is valid JSON in valid
 * UTF-8 and fits into JSON_BYTES_MAX.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define BAD "\xef\xbf\xbd" /* U+FFFD */

static void assert_escaped(const char *text, const char *expected)
{
    char out[512];
    assert_true(JSON_BYTES_MAX(strlen(text)) <= sizeof(out));
    memset(out, '#', sizeof(out));
    json_escape(text, out);
    assert_string_equal(out, expected);
    assert_true(strlen(out) < JSON_BYTES_MAX(strlen(text)));
    assert_int_equal(out[strlen(expected) + 1], '#'); /* nothing behind the NUL */
}

static void plain_text_stays(void **state)
{
    (void)state;
    assert_escaped("", "");
    assert_escaped("/tmp/default/append.3.raw", "/tmp/default/append.3.raw");
    assert_escaped("a b'c<>&\x7f", "a b'c<>&\x7f");
}

static void quotes_and_control_characters_are_escaped(void **state)
{
    (void)state;
    assert_escaped("\"", "\\\"");
    assert_escaped("\\", "\\\\");
    assert_escaped("a\"b\\c", "a\\\"b\\\\c");
    assert_escaped("\n", "\\u000a");
    assert_escaped("\x01\x1f", "\\u0001\\u001f");
    for (int c = 1; c < 0x20; c++) {
        char text[2] = {(char)c, '\0'}, expected[8];
        (void)snprintf(expected, sizeof(expected), "\\u%04x", (unsigned)c);
        assert_escaped(text, expected);
    }
}

static void utf_8_stays(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\xc2\x80",         /* U+0080, the first of two bytes */
        "\xdf\xbf",         /* U+07FF, the last */
        "\xe0\xa0\x80",     /* U+0800 */
        "\xed\x9f\xbf",     /* U+D7FF, below the surrogates */
        "\xee\x80\x80",     /* U+E000, above them */
        "\xef\xbf\xbf",     /* U+FFFF */
        "\xf0\x90\x80\x80", /* U+10000 */
        "\xf4\x8f\xbf\xbf", /* U+10FFFF, the last of all */
        "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_escaped(texts[i], texts[i]);
}

static void what_is_not_utf_8_is_replaced(void **state)
{
    (void)state;
    assert_escaped("\x80", BAD);
    assert_escaped("\xbf", BAD);
    assert_escaped("\xff", BAD);
    assert_escaped("\xfe", BAD);
    assert_escaped("a\xe4z", "a" BAD "z");
    /* cut short, at the end and before something else */
    assert_escaped("\xc3", BAD);
    assert_escaped("\xe2\x82", BAD BAD);
    assert_escaped("\xf0\x9f\x98", BAD BAD BAD);
    assert_escaped("\xc3\"", BAD "\\\"");
    assert_escaped("\xe2\x82\n", BAD BAD "\\u000a");
    assert_escaped("\xe2\xc3\xa4", BAD "\xc3\xa4");
    /* longer than need be */
    assert_escaped("\xc0\x80", BAD BAD);
    assert_escaped("\xc1\xbf", BAD BAD);
    assert_escaped("\xe0\x9f\xbf", BAD BAD BAD);
    assert_escaped("\xf0\x8f\xbf\xbf", BAD BAD BAD BAD);
    /* surrogates, and beyond the end of Unicode */
    assert_escaped("\xed\xa0\x80", BAD BAD BAD);
    assert_escaped("\xed\xbf\xbf", BAD BAD BAD);
    assert_escaped("\xf4\x90\x80\x80", BAD BAD BAD BAD);
    assert_escaped("\xf5\x80\x80\x80", BAD BAD BAD BAD);
}

/* The code point at `*text`, which moves on; -1 if it is not UTF-8. By value, not by table. */
static long next_code_point(const unsigned char **text)
{
    const unsigned char *at = *text;
    int more = at[0] < 0x80       ? 0
               : at[0] >> 5 == 6  ? 1
               : at[0] >> 4 == 14 ? 2
               : at[0] >> 3 == 30 ? 3
                                  : -1;
    static const long least[] = {0, 0x80, 0x800, 0x10000};
    if (more < 0)
        return -1;
    long point = more == 0 ? at[0] : at[0] & (0x3f >> more);
    for (int i = 1; i <= more; i++) {
        if (at[i] >> 6 != 2)
            return -1;
        point = point << 6 | (at[i] & 0x3f);
    }
    *text += more + 1;
    return point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000) ? -1
                                                                                          : point;
}

/* Unescapes and counts what it sees; a NUL in the text ends it. */
static bool is_valid_json(const char *out)
{
    const unsigned char *at = (const unsigned char *)out;
    while (*at != '\0') {
        long point = next_code_point(&at);
        unsigned value;
        if (point < 0x20 || point == '"')
            return false;
        if (point != '\\')
            continue;
        if (*at == '"' || *at == '\\')
            at++;
        else if (*at == 'u' && sscanf((const char *)at + 1, "%4x", &value) == 1 && value < 0x20)
            at += 5;
        else
            return false;
    }
    return true;
}

static void every_text_becomes_valid_json(void **state)
{
    (void)state;
    char out[JSON_BYTES_MAX(4)];
    /* all pairs of bytes, and four-byte texts made of those that are special */
    for (int first = 1; first < 256; first++) {
        for (int second = 1; second < 256; second++) {
            char text[3] = {(char)first, (char)second, '\0'};
            json_escape(text, out);
            assert_true(is_valid_json(out));
        }
    }
    static const unsigned char special[] = {1,    0x1f, '"',  '\\', 'u',  0x7f, 0x80, 0x8f,
                                            0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0,
                                            0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff};
    const unsigned count = sizeof(special);
    for (unsigned i = 0; i < count * count * count * count; i++) {
        char text[5] = {(char)special[i % count], (char)special[i / count % count],
                        (char)special[i / count / count % count],
                        (char)special[i / count / count / count], '\0'};
        json_escape(text, out);
        if (!is_valid_json(out))
            fail_msg("%02x %02x %02x %02x", (unsigned char)text[0], (unsigned char)text[1],
                     (unsigned char)text[2], (unsigned char)text[3]);
    }
}

static void longest_escapes_fit(void **state)
{
    (void)state;
    char text[80], expected[481];
    memset(text, 1, 79);
    text[79] = '\0';
    expected[0] = '\0';
    for (int i = 0; i < 79; i++)
        (void)strcat(expected, "\\u0001");
    assert_int_equal(strlen(expected) + 1, JSON_BYTES_MAX(79));
    assert_escaped(text, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stays),
        cmocka_unit_test(quotes_and_control_characters_are_escaped),
        cmocka_unit_test(utf_8_stays),
        cmocka_unit_test(what_is_not_utf_8_is_replaced),
        cmocka_unit_test(every_text_becomes_valid_json),
        cmocka_unit_test(longest_escapes_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
