/*
 * json: a string's content, escaped.
 *
 * Pure functions.
 */
#ifndef ROCHEFORT_BASE_JSON_H
#define ROCHEFORT_BASE_JSON_H

#include <limits.h>

/* What `bytes` bytes can become, with the NUL. */
#define JSON_BYTES_MAX(bytes) ((bytes)*6 + 1)

/*
 * Escapes quotes, backslashes and control characters of `text`; what is not UTF-8 becomes U+FFFD,
 * a byte at a time. `out` has JSON_BYTES_MAX(strlen(text)) bytes.
 */
void json_escape(const char *text, char *out);

#endif
