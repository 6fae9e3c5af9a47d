/*
 * hex: hexadecimal digits, of chunk sizes and of % escapes.
 *
 * Pure function; any thread.
 */
#ifndef ROCHEFORT_BASE_HEX_H
#define ROCHEFORT_BASE_HEX_H

/* 0 to 15, or -1 if `c` is no hexadecimal digit. */
static inline int hex_digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

#endif
