#include "tools/json_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "tools/report.h"

#define CHARACTER_BYTES_MAX 4

/* DEL, and C1 as UTF-8 writes it: JSON lets them stand, and a terminal obeys them. */
static bool is_other_control(const char *text, size_t bytes)
{
    if (bytes == 1)
        return text[0] == 0x7f;
    return bytes == 2 && (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0;
}

static void print_string(const char *text)
{
    const char *end = text + strlen(text);
    (void)putchar('"');
    while (text < end) {
        size_t bytes = utf8_character_bytes(text, (size_t)(end - text));
        if (is_other_control(text, bytes)) {
            (void)printf("\\u%04x", (unsigned)(unsigned char)text[bytes - 1]);
        } else {
            char character[CHARACTER_BYTES_MAX + 1] = "";
            char escaped[JSON_BYTES_MAX(CHARACTER_BYTES_MAX)];
            memcpy(character, text, bytes > 0 ? bytes : 1);
            json_escape(character, escaped);
            (void)fputs(escaped, stdout);
        }
        text += bytes > 0 ? bytes : 1;
    }
    (void)putchar('"');
}

static void print_name(const char *name)
{
    (void)printf(",\"%s\":", name);
}

void json_line_begin(const char *type)
{
    report_progress_end();
    (void)printf("{\"type\":\"%s\"", type);
}

void json_line_text(const char *name, const char *text)
{
    print_name(name);
    print_string(text);
}

void json_line_number(const char *name, uint64_t number)
{
    print_name(name);
    (void)printf("%" PRIu64, number);
}

void json_line_flag(const char *name, bool flag)
{
    print_name(name);
    (void)fputs(flag ? "true" : "false", stdout);
}

void json_line_base64_begin(const char *name)
{
    print_name(name);
    (void)putchar('"');
}

void json_line_base64(const uint8_t *bytes, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (; count > 0; bytes += 3) {
        size_t some = count < 3 ? count : 3;
        uint32_t bits = (uint32_t)bytes[0] << 16;
        if (some > 1)
            bits |= (uint32_t)bytes[1] << 8;
        if (some > 2)
            bits |= bytes[2];
        char text[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                        some > 1 ? digits[bits >> 6 & 63] : '=',
                        some > 2 ? digits[bits & 63] : '='};
        (void)fwrite(text, 1, sizeof(text), stdout);
        count -= some;
    }
}

void json_line_base64_end(void)
{
    (void)putchar('"');
}

void json_line_end(void)
{
    (void)puts("}");
}
