#include "tools/tools.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "tools/report.h"

const char tools_help[] =
    "rochefort verify DIR|FILE...    checks files: records, bytes, damaged ranges, torn tails\n"
    "rochefort dump FILE [OFFSET]... a line for each record, or the values at these offsets\n"
    "rochefort repair FILE [OUT]     copies the whole records, each to its own offset\n"
    "rochefort adopt -hash fnv1a|xxh3 [-missing] [-slots A-B/N] DIR...\n"
    "                                writes the MANIFEST that files of the Go original lack\n"
    "rochefort TOOL -json ...         the same as lines of JSON\n";

static const struct command {
    const char *name, *usage;
    int least, most;
    bool has_flags; /* of its own */
    int (*run)(int count, char *const arguments[], bool json);
} commands[] = {
    {"verify", "usage: rochefort verify [-json] DIR|FILE...", 1, -1, false, verify_run},
    {"dump", DUMP_USAGE, 1, -1, false, dump_run},
    {"repair", "usage: rochefort repair [-json] FILE [OUT]", 1, 2, false, repair_run},
    {"adopt", ADOPT_USAGE, 1, -1, true, adopt_run},
};

static const struct command *find_command(int argc, char *const argv[])
{
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return &commands[i];
    return NULL;
}

bool tools_command(int argc, char *const argv[])
{
    return find_command(argc, argv) != NULL;
}

static bool is_help(const char *argument)
{
    static const char *const spellings[] = {"-help", "--help", "-h", "--h"};
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++)
        if (strcmp(argument, spellings[i]) == 0)
            return true;
    return false;
}

bool tools_is_json(const char *flag)
{
    return strcmp(flag, "-json") == 0 || strcmp(flag, "--json") == 0;
}

int tools_finish_output(int status)
{
    report_progress_end();
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return status;
    if (errno != EPIPE) /* the reader has closed it: `dump | head` */
        report_line("standard output: %s", strerror(errno));
    return TOOLS_DAMAGED;
}

int tools_run(int argc, char *const argv[])
{
    const struct command *command = find_command(argc, argv);
    int first = 2;
    if (first < argc && is_help(argv[first])) {
        (void)puts(command->usage);
        return tools_finish_output(TOOLS_WHOLE);
    }
    bool json = first < argc && tools_is_json(argv[first]);
    first += json;
    if (first < argc && strcmp(argv[first], "--") == 0 && !command->has_flags) {
        first++;
    } else if (!command->has_flags && first < argc && argv[first][0] == '-') {
        report_line("%s: unknown flag; %s", argv[first], command->usage);
        return TOOLS_USAGE;
    }
    int count = argc - first;
    if (count < command->least || (command->most >= 0 && count > command->most)) {
        report_line("%s", command->usage);
        return TOOLS_USAGE;
    }
    return command->run(count, argv + first, json);
}
