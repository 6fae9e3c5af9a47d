/*
 * Tests of base/printable: what a terminal would obey is replaced, all else stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/printable.h"

#define TEXT(in, out)                                                                              \
    {                                                                                              \
        in, out, sizeof(in) - 1, sizeof(out) - 1                                                   \
    }

static const struct row {
    const char *in, *out;
    size_t in_bytes, out_bytes;
} rows[] = {
    TEXT("", ""),
    TEXT("append.3.raw", "append.3.raw"),
    TEXT(" ~", " ~"),
    TEXT("100% of \\x1b\"'", "100% of \\x1b\"'"),
    /* C0 and DEL */
    TEXT("\0", "?"),
    TEXT("a\0b", "a?b"),
    TEXT("\x1b[2J\x1b[H", "?[2J?[H"),
    TEXT("one\r\ntwo\ttabs", "one??two?tabs"),
    TEXT("\x7f", "?"),
    /* C1: as a byte, as UTF-8, and the characters beside them */
    TEXT("\x9b"
         "2J",
         "?2J"),
    TEXT("\xc2\x9b"
         "2J",
         "??2J"),
    TEXT("\xc2\x80\xc2\x85\xc2\x9f", "??????"),
    TEXT("\xc2\xa0", "\xc2\xa0"),
    TEXT("\xc3\x80", "\xc3\x80"),
    TEXT("\xe0\xc2\x9b", "???"),
    /* text */
    TEXT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
    /* not UTF-8: Latin-1, stray and missing bytes, surrogates, longer than needed */
    TEXT("stra\xdf"
         "e",
         "stra?e"),
    TEXT("\xe4\xf6\xfc", "???"),
    TEXT("\xe2\x82", "??"),
    TEXT("\xe2\x82z", "??z"),
    TEXT("\xf0\x9f\x98", "???"),
    TEXT("\xed\xa0\x80", "???"),
    TEXT("\xc1\x9b", "??"),
    TEXT("\xe0\x82\x9b", "???"),
    TEXT("\xf4\x90\x80\x80", "????"),
    TEXT("\xfe\xff", "??"),
};

static void rows_become_what_they_must(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[64];
        memset(text, 0x1b, sizeof(text));
        memcpy(text + 8, rows[i].in, rows[i].in_bytes);
        bool same = memcmp(rows[i].in, rows[i].out, rows[i].in_bytes) == 0;
        assert_int_equal(printable_is(text + 8, rows[i].in_bytes), same);
        printable_make(text + 8, rows[i].in_bytes);
        assert_int_equal(rows[i].in_bytes, rows[i].out_bytes);
        if (memcmp(text + 8, rows[i].out, rows[i].out_bytes) != 0)
            fail_msg("row %zu: \"%.*s\"", i, (int)rows[i].out_bytes, text + 8);
        assert_int_equal(text[7], 0x1b); /* nothing around it */
        assert_int_equal(text[8 + rows[i].in_bytes], 0x1b);
    }
}

static void each_byte_alone(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text = (char)c;
        printable_make(&text, 1);
        assert_int_equal(text, c >= 0x20 && c < 0x7f ? (char)c : '?');
    }
}

/* Whatever was there, a second time changes nothing, and no byte below 0x20 is left. */
static void all_pairs_end_printable(void **state)
{
    (void)state;
    for (int first = 0; first < 256; first++) {
        for (int second = 0; second < 256; second++) {
            char text[2] = {(char)first, (char)second}, again[2];
            printable_make(text, sizeof(text));
            memcpy(again, text, sizeof(text));
            printable_make(again, sizeof(again));
            assert_memory_equal(again, text, sizeof(text));
            for (int i = 0; i < 2; i++) {
                const unsigned char c = (unsigned char)text[i];
                assert_true(c >= 0x20 && c != 0x7f);
                assert_true(c < 0x80 || (unsigned char)text[0] >= 0xc2);
            }
            if ((unsigned char)text[0] == 0xc2)
                assert_true((unsigned char)text[1] >= 0xa0);
        }
    }
}

static char printed[2 * PRINTABLE_BYTES_MAX];

static void __attribute__((format(printf, 1, 2))) print(const char *format, ...)
{
    FILE *stream = fmemopen(printed, sizeof(printed), "w");
    va_list arguments;
    assert_non_null(stream);
    printed[0] = '\0';
    va_start(arguments, format);
    printable_vprint(stream, format, arguments);
    va_end(arguments);
    assert_int_equal(fclose(stream), 0); /* adds a NUL to what is there */
}

static void what_is_printed_is_printable_but_for_the_newline_of_the_format(void **state)
{
    (void)state;
    print("%s: %d\n", "a\x1b[2J\nb\xff", 7);
    assert_string_equal(printed, "a?[2J?b?: 7\n");
    print("%s", "no newline of the format's\n");
    assert_string_equal(printed, "no newline of the format's?");
    print("one\ntwo\n");
    assert_string_equal(printed, "one?two\n");
    print("\n");
    assert_string_equal(printed, "\n");
    print("%s", "");
    assert_string_equal(printed, "");
    print("%lc", (wint_t)0x7fffffff); /* there is no such character */
    assert_string_equal(printed, "");
    FILE *stream = fmemopen(printed, sizeof(printed), "w");
    assert_non_null(stream);
    printable_print(stream, "%c%s\n", '\t', "last");
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(printed, "?last\n");
}

static void what_is_too_long_is_cut_and_its_line_ends(void **state)
{
    (void)state;
    static char text[PRINTABLE_BYTES_MAX + 100];
    memset(text, 't', sizeof(text) - 1);
    for (int more = -2; more < 3; more++) {
        int bytes = PRINTABLE_BYTES_MAX + more;
        size_t kept =
            bytes < PRINTABLE_BYTES_MAX - 1 ? (size_t)bytes : (size_t)PRINTABLE_BYTES_MAX - 1;
        print("%.*s\n", bytes, text);
        assert_int_equal(strlen(printed), kept + 1);
        assert_memory_equal(printed, text, kept);
        assert_int_equal(printed[kept], '\n');
    }
    memcpy(text + PRINTABLE_BYTES_MAX - 2, "\xe2\x82\xac", 3); /* cut inside */
    print("%s", text);
    assert_int_equal(strlen(printed), PRINTABLE_BYTES_MAX);
    assert_string_equal(printed + PRINTABLE_BYTES_MAX - 3, "t??");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_what_they_must),
        cmocka_unit_test(each_byte_alone),
        cmocka_unit_test(all_pairs_end_printable),
        cmocka_unit_test(what_is_printed_is_printable_but_for_the_newline_of_the_format),
        cmocka_unit_test(what_is_too_long_is_cut_and_its_line_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
