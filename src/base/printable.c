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

void printable_vprint(FILE *stream, const char *format, va_list arguments)
{
    char text[PRINTABLE_BYTES_MAX + 1]; /* and a NUL */
    int length = vsnprintf(text, sizeof(text), format, arguments);
    if (length <= 0)
        return;
    size_t bytes = (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1;
    printable_make(text, bytes);
    if (format[strlen(format) - 1] == '\n')
        text[bytes - 1] = '\n';
    (void)fwrite(text, 1, bytes, stream);
}

void printable_print(FILE *stream, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printable_vprint(stream, format, arguments);
    va_end(arguments);
}
