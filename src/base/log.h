/*
 * log: lines on standard error, each with date and time in front.
 *
 * One write a line, so lines of several processes do not mix. Any thread.
 */
#ifndef ROCHEFORT_BASE_LOG_H
#define ROCHEFORT_BASE_LOG_H

/* "2018/02/10 12:06:21 " and the message, as printable.h leaves it; long lines are cut. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
