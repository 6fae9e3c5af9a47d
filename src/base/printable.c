#include "base/printable.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

static bool is_control(const char *text, size_t bytes)
{
    unsigned char first = (unsigned char)text[0];
    if (bytes == 1)
        return first < ' ' || first == 0x7f;
    return bytes == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0; /* U+0080 to U+009F */
}

void printable_make(char *text, size_t bytes)
{
    size_t length;
    for (size_t at = 0; at < bytes; at += length) {
        length = utf8_character_bytes(text + at, bytes - at);
        bool replace = length == 0 || is_control(text + at, length);
        if (length == 0)
            length = 1;
        if (replace)
            memset(text + at, '?', length);
    }
}
