#include "base/printable.h"

#include <string.h>

#include "base/utf8.h"

static bool is_control(const char *text, size_t bytes)
{
    unsigned char first = (unsigned char)text[0];
    if (bytes == 1)
        return first < ' ' || first == 0x7f;
    return bytes == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0; /* U+0080 to U+009F */
}

/* How many bytes are the first character, or are to be replaced. */
static size_t next_bytes(const char *text, size_t bytes, bool *replace)
{
    size_t length = utf8_character_bytes(text, bytes);
    *replace = length == 0 || is_control(text, length);
    return length > 0 ? length : 1;
}

void printable_make(char *text, size_t bytes)
{
    bool replace;
    size_t length;
    for (size_t at = 0; at < bytes; at += length) {
        length = next_bytes(text + at, bytes - at, &replace);
        if (replace)
            memset(text + at, '?', length);
    }
}

bool printable_is(const char *text, size_t bytes)
{
    bool replace = false;
    for (size_t at = 0; at < bytes && !replace;)
        at += next_bytes(text + at, bytes - at, &replace);
    return !replace;
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
