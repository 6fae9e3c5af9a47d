/*
 * printable: text that a terminal or a reader of a log can be given.
 *
 * Names come from clients and from disks, and a terminal obeys what it finds in
 * them: a name could clear the screen, or look like a line of its own.
 *
 * Any thread.
 */
#ifndef ROCHEFORT_BASE_PRINTABLE_H
#define ROCHEFORT_BASE_PRINTABLE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define PRINTABLE_BYTES_MAX 16384 /* enough for three paths and some words */

/* Replaces, in place, by one '?' a byte: control characters (C0, DEL, and C1, which UTF-8 writes as
 * two bytes), and bytes that are not UTF-8. All other text stays. */
void printable_make(char *text, size_t bytes);

/* Whether that would replace nothing. */
bool printable_is(const char *text, size_t bytes);

/*
 * As fprintf and vfprintf, but the text is made printable, all but a newline at the end of
 * `format`. Of more than PRINTABLE_BYTES_MAX bytes the rest is cut off. An error is left to ferror.
 */
void printable_print(FILE *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));
void printable_vprint(FILE *stream, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

#endif
