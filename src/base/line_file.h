/*
 * line_file: a file that lines are added to, by a thread of its own.
 *
 * line_file_put copies a line into a queue and never waits for the file: it may be on a slow disk,
 * or a pipe that nobody empties. When the queue is full lines are dropped until all that is in it
 * has been written. Lines that cannot be written (a full disk) are lost too; the thread goes on
 * with the next ones. Both are counted, and the log has a line when it begins and one with the
 * number when it is over. A line is written whole; if the disk ran full in the middle of one, the
 * next begins on a line of its own.
 *
 * line_file_reopen opens the path anew, for programs that rename the file: each line is in one of
 * the two. If that fails the log says so and the file stays as it is.
 *
 * Any thread but for open and close, which are the owner's. Errors: 0 or -errno.
 */
#ifndef ROCHEFORT_BASE_LINE_FILE_H
#define ROCHEFORT_BASE_LINE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LINE_FILE_LINE_BYTES_MAX (16 * 1024)

#define LINE_FILE_STANDARD_OUTPUT "-"

struct line_file;

/* `path`, or LINE_FILE_STANDARD_OUTPUT, is not copied. A file is created if there is none, with
 * these permissions, and added to. `name` is what the log calls it. */
int line_file_open(const char *path, mode_t mode, const char *name, struct line_file **out);

/* Why it cannot be opened. A pipe that nobody reads is -ENXIO at once; nothing waits. */
const char *line_file_error_text(int error);

/* `line` ends in its only newline and is not longer than LINE_FILE_LINE_BYTES_MAX. False: it was
 * dropped. */
bool line_file_put(struct line_file *file, const char *line, size_t bytes);

/* Soon, by the thread. */
void line_file_reopen(struct line_file *file);

/* Waits until all lines in the queue are written, a second at most: before _exit. */
void line_file_flush(struct line_file *file);

/* The same, then ends the thread. What is not written by then is dropped. NULL is ignored. */
void line_file_close(struct line_file *file);

/* Lines that were not written. */
uint64_t line_file_dropped(struct line_file *file);

#endif
