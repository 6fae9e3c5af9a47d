#include "http/json.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* The bytes of one well-formed UTF-8 sequence at `text`, 0 if there is none (RFC 3629). */
static size_t utf8_bytes(const unsigned char *text)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t bytes;
    } forms[] = {
        {0x20, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (text[0] < forms[i].first_low || text[0] > forms[i].first_high)
            continue;
        if (forms[i].bytes > 1 && (text[1] < forms[i].second_low || text[1] > forms[i].second_high))
            return 0;
        for (size_t j = 2; j < forms[i].bytes; j++)
            if (text[j] < 0x80 || text[j] > 0xbf)
                return 0;
        return forms[i].bytes;
    }
    return 0;
}

void json_escape(const char *text, char *out)
{
    while (*text != '\0') {
        unsigned char c = (unsigned char)*text;
        size_t bytes = utf8_bytes((const unsigned char *)text);
        if (c == '"' || c == '\\') {
            *out++ = '\\';
            *out++ = *text++;
        } else if (c < 0x20) {
            out += sprintf(out, "\\u%04x", (unsigned)c);
            text++;
        } else if (bytes == 0) {
            memcpy(out, replacement, sizeof(replacement) - 1);
            out += sizeof(replacement) - 1;
            text++;
        } else {
            memcpy(out, text, bytes);
            out += bytes;
            text += bytes;
        }
    }
    *out = '\0';
}
