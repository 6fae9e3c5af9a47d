/*
 * token_file: the file that -tokens names.
 *
 * It is read as a whole, so what comes of it is all of it or nothing. It must be a regular file of
 * this process's user or root, that nobody else can write and that only its group may read.
 *
 * Reads the disk: at the start, and when the user asks for it. Any thread.
 */
#ifndef ROCHEFORT_HTTP_TOKEN_FILE_H
#define ROCHEFORT_HTTP_TOKEN_FILE_H

#include <limits.h>

#include "http/tokens.h"

#define TOKEN_FILE_BYTES_MAX (512 * 1024)
#define TOKEN_FILE_WHY_BYTES (PATH_MAX + 256)

/* NULL if they cannot be had; `why` is then a line that names the file and, if it is about one, the
 * line in it. The caller frees them. */
struct tokens *token_file_read(const char *path, char why[TOKEN_FILE_WHY_BYTES]);

#endif
