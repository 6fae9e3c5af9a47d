#include "base/json.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

void json_escape(const char *text, char *out)
{
    const char *end = text + strlen(text);
    while (text < end) {
        unsigned char c = (unsigned char)*text;
        size_t bytes = utf8_character_bytes(text, (size_t)(end - text));
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
