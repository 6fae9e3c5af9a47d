/*
 * report: the tools' lines on standard error, and their progress on a terminal.
 *
 * One thread. A failure of standard error itself is ignored.
 */
#ifndef ROCHEFORT_TOOLS_REPORT_H
#define ROCHEFORT_TOOLS_REPORT_H

#include <stdint.h>

/* "rochefort: ..." and a newline; removes the progress line first. */
void report_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Shows, once a second, how far a file is and how quickly it is read, if standard error is a
 * terminal. To be called for each piece. */
void report_progress(const char *path, int64_t done, int64_t size);

/* Removes the progress line, before a line on standard output. */
void report_progress_end(void);

#endif
