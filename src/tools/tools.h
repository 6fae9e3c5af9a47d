/*
 * tools: verify, dump, repair and adopt, the commands that work on files, not over HTTP.
 *
 * Main thread, no server in the process. Results go to standard output,
 * everything else to standard error.
 */
#ifndef ROCHEFORT_TOOLS_TOOLS_H
#define ROCHEFORT_TOOLS_TOOLS_H

#include <stdbool.h>

#define TOOLS_WHOLE 0
#define TOOLS_DAMAGED 1 /* or the result could not be written */
#define TOOLS_USAGE 2   /* or something could not be read */

/* Whether argv[1] names a command. */
bool tools_command(int argc, char *const argv[]);

/* Runs it. Returns the exit status. */
int tools_run(int argc, char *const argv[]);

/* Their lines in -help. */
extern const char tools_help[];

/* One for each command: what follows its name and flags. `json`: prints lines of JSON. */
int verify_run(int count, char *const arguments[], bool json);
#define DUMP_USAGE "usage: rochefort dump [-json] FILE [OFFSET]..."
int dump_run(int count, char *const arguments[], bool json);
int repair_run(int count, char *const arguments[], bool json);
/* With its own flags, those that come before `-json` or behind it. */
#define ADOPT_USAGE                                                                                \
    "usage: rochefort adopt [-json] -hash fnv1a|xxh3 [-missing] [-slots A-B/N] DIR..."
int adopt_run(int count, char *const arguments[], bool json);

/* Whether a flag is -json. */
bool tools_is_json(const char *flag);

/* Flushes standard output; `status`, or TOOLS_DAMAGED if that fails, which is reported. */
int tools_finish_output(int status);

#endif
