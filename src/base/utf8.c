#include "base/utf8.h"

/* The table of RFC 3629, section 4. Bytes after the second are always 80 to BF. */
static const struct form {
    unsigned char first_low, first_high, second_low, second_high;
    size_t bytes;
} forms[] = {
    {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

size_t utf8_character_bytes(const char *text, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    const struct form *form = forms, *end = forms + sizeof(forms) / sizeof(forms[0]);
    while (form < end && (at[0] < form->first_low || at[0] > form->first_high))
        form++;
    if (form == end || bytes < form->bytes)
        return 0;
    if (form->bytes > 1 && (at[1] < form->second_low || at[1] > form->second_high))
        return 0;
    for (size_t i = 2; i < form->bytes; i++)
        if (at[i] < 0x80 || at[i] > 0xbf)
            return 0;
    return form->bytes;
}
