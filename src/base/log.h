/*
 * log: lines on standard error, each with date and time in front.
 *
 * Between log_start and log_stop a line is put into a queue, and a thread of
 * the log writes it: no caller waits for the reader of standard error, which may
 * be a pipe that nobody empties. When the queue is full lines are dropped until
 * all that is in it has been written; then one line says how many. Before and
 * after that a line is written by its caller, who waits for the reader for a
 * second at most.
 *
 * Lines are written whole, so they do not mix, neither those of several threads
 * nor those of several processes. Any thread; log_start and log_stop: one.
 */
#ifndef ROCHEFORT_BASE_LOG_H
#define ROCHEFORT_BASE_LOG_H

#include <stdint.h>

/* "2018/02/10 12:06:21 " and the message, as printable.h leaves it; long lines are cut. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Starts the thread. 0 or -errno: -EBUSY if that of an earlier start is still writing. */
int log_start(void);

/* Waits until all lines in the queue are written, a second at most: before _exit. */
void log_flush(void);

/* The same, then ends the thread. What is not written by then is dropped, and if the thread is held
 * up by the reader it is left behind. */
void log_stop(void);

/* Lines that were not written since the process began. */
uint64_t log_dropped(void);

#endif
