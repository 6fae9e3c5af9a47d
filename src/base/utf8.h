/*
 * utf8: well-formed sequences of UTF-8 (RFC 3629).
 *
 * Pure function; any thread.
 */
#ifndef ROCHEFORT_BASE_UTF8_H
#define ROCHEFORT_BASE_UTF8_H

#include <stddef.h>

/* How many of the `bytes` bytes at `text`, at least one, are its first character: 1 to 4; 0 if no
 * well-formed sequence begins there. */
size_t utf8_character_bytes(const char *text, size_t bytes);

#endif
