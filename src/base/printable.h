/*
 * printable: text that a terminal or a reader of a log can be given.
 *
 * Names come from clients and from disks, and a terminal obeys what it finds in
 * them: a name could clear the screen, or look like a line of its own.
 *
 * Pure function; any thread.
 */
#ifndef ROCHEFORT_BASE_PRINTABLE_H
#define ROCHEFORT_BASE_PRINTABLE_H

#include <stddef.h>

/* Replaces, in place, by one '?' a byte: control characters (C0, DEL, and C1, which UTF-8 writes as
 * two bytes), and bytes that are not UTF-8. All other text stays. */
void printable_make(char *text, size_t bytes);

#endif
