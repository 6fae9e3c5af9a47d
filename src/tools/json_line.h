/*
 * json_line: an object of JSON on a line of standard output, what -json prints.
 *
 * Names and texts are printable on any terminal: control characters (C0, DEL
 * and C1) are escaped, and each byte that is not UTF-8 becomes U+FFFD.
 * One line at a time, one thread. Errors are left to ferror, see
 * tools_finish_output.
 */
#ifndef ROCHEFORT_TOOLS_JSON_LINE_H
#define ROCHEFORT_TOOLS_JSON_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Begins a line whose first member is "type". Removes the progress line first. */
void json_line_begin(const char *type);

/* One more member. Its name has no character that needs to be escaped. */
void json_line_text(const char *name, const char *text);
void json_line_number(const char *name, uint64_t number);
void json_line_flag(const char *name, bool flag);

/*
 * A member with bytes, in base64 (RFC 4648). They may come in pieces: each but the last is a
 * multiple of 3 bytes.
 */
void json_line_base64_begin(const char *name);
void json_line_base64(const uint8_t *bytes, size_t count);
void json_line_base64_end(void);

void json_line_end(void);

#endif
