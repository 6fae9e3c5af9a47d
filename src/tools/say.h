/*
 * say: the tools' lines on standard error, and their progress on a terminal.
 *
 * One thread. Standard error has nowhere to report its own failure to.
 */
#ifndef ROCHEFORT_TOOLS_SAY_H
#define ROCHEFORT_TOOLS_SAY_H

#include <stdint.h>

/* "rochefort: ..." and a newline; wipes the progress line off first. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Shows how far a file is, a few times a second, if standard error is a terminal. */
void say_progress(const char *path, int64_t done, int64_t size);

/* Wipes the progress line off, before a line on standard output. */
void say_no_progress(void);

#endif
