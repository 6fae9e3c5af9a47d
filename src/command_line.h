/*
 * command_line: reads the flags.
 *
 * One dash or two, "-flag value" or "-flag=value"; the last one counts, but those that name
 * addresses add up. Which there are: flags.h. Main thread.
 */
#ifndef ROCHEFORT_COMMAND_LINE_H
#define ROCHEFORT_COMMAND_LINE_H

#include "options.h"

enum command_line_result {
    COMMAND_LINE_SERVE,
    COMMAND_LINE_DONE, /* -help or -version was answered */
    COMMAND_LINE_WRONG /* one line on standard error said why */
};

/* The strings in `options` point into argv or are constants. */
enum command_line_result command_line_parse(int argc, char *const argv[], struct options *options);

/* Sets the default of -bind if there was none: an inherited socket takes its place. */
void command_line_listen_by_default(struct options *options);

#endif
