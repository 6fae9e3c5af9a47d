#include "command_line.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/printable.h"
#include "flags.h"
#include "net/listener.h"
#include "net/unix_socket.h"
#include "store/manifest.h"

#define SYNC_INTERVAL "interval:"
#define MEMORY_DIVISOR 4

static bool parse_number(const struct flag *flag, const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    bool digit_first =
        text[0] == '-' ? text[1] >= '0' && text[1] <= '9' : text[0] >= '0' && text[0] <= '9';
    long long number = strtoll(text, &end, 10);
    int64_t factor = flag_takes_units(flag) ? flags_unit_bytes(end) : *end == '\0';
    int64_t value;
    if (!digit_first || errno != 0 || factor == 0 ||
        __builtin_mul_overflow((int64_t)number, factor, &value) || value < flag->least ||
        value > flag->most)
        return false;
    *out = value;
    return true;
}

static bool parse_sync(const struct flag *flag, const char *text, int64_t *out)
{
    if (strcmp(text, "never") == 0)
        *out = -1;
    else if (strcmp(text, "always") == 0)
        *out = 0;
    else
        return strncmp(text, SYNC_INTERVAL, strlen(SYNC_INTERVAL)) == 0 &&
               parse_number(flag, text + strlen(SYNC_INTERVAL), out);
    return true;
}

/* Nobody may write to a data file without reading it. */
static bool parse_mode(const struct flag *flag, const char *text, int64_t *out)
{
    char *end;
    if (text[0] < '0' || text[0] > '7')
        return false;
    unsigned long mode = strtoul(text, &end, 8);
    *out = (int64_t)mode;
    return *end == '\0' && (*out & ~flag->most) == 0 && (*out & flag->least) == flag->least &&
           (flag->kind == FLAG_SOCKET_MODE || (mode & S_IWGRP) == 0 || (mode & S_IRGRP) != 0);
}

static bool add_address(const struct flag *flag, const char *text, struct address_list *list)
{
    if (!listener_address_valid(text)) {
        printable_print(stderr, "rochefort: -%s: \"%s\" is not of the form %s%s\n", flag->name,
                        text, FLAGS_ADDRESS_FORM,
                        unix_socket_named(text) ? ", with a path of 1 to 107 bytes" : "");
        return false;
    }
    if (list->count == ADDRESS_LIST_MAX) {
        printable_print(stderr, "rochefort: -%s: more than %d of them\n", flag->name,
                        ADDRESS_LIST_MAX);
        return false;
    }
    list->addresses[list->count++] = text;
    return true;
}

static bool add_proxy(const struct flag *flag, const char *text, struct trusted_proxies *proxies)
{
    int error = trusted_proxies_add(proxies, text);
    if (error == -ENOSPC)
        printable_print(stderr, "rochefort: -%s: more than %d of them\n", flag->name,
                        TRUSTED_PROXIES_MAX);
    else if (error != 0)
        printable_print(stderr, "rochefort: -%s: \"%s\" is not " FLAGS_PROXY_FORM "\n", flag->name,
                        text);
    return error == 0;
}

static bool set_flag(const struct flag *flag, const char *text, struct options *options)
{
    int64_t ignored;
    void *field = flag->kind == FLAG_IGNORED ? (void *)&ignored : (char *)options + flag->field;
    if (flag->kind == FLAG_ADDRESS)
        return add_address(flag, text, field);
    if (flag->kind == FLAG_PROXY)
        return add_proxy(flag, text, field);
    if (flag->kind == FLAG_TEXT) {
        *(const char **)field = text;
        if (text[0] == '\0')
            printable_print(stderr, "rochefort: -%s: \"\" is not of the form %s\n", flag->name,
                            flag->value);
        return text[0] != '\0';
    }
    if (flag->kind == FLAG_SLOTS) {
        bool good = manifest_parse_slots(text, field);
        if (!good)
            printable_print(stderr,
                            "rochefort: -%s: \"%s\" is not A-B/N with A <= B < N and N up to %d\n",
                            flag->name, text, SLOTS_MAX);
        return good;
    }
    if (flag->kind == FLAG_SYNC) {
        bool good = parse_sync(flag, text, field);
        if (!good)
            printable_print(stderr,
                            "rochefort: -%s: \"%s\" is not never, always or interval:MS, with MS "
                            "from %lld to %lld\n",
                            flag->name, text, (long long)flag->least, (long long)flag->most);
        return good;
    }
    if (flag->kind == FLAG_MODE) {
        bool good = parse_mode(flag, text, field);
        if (!good)
            printable_print(stderr,
                            "rochefort: -%s: \"%s\" is not 0600, 0604, 0640, 0644, 0660 or 0664\n",
                            flag->name, text);
        return good;
    }
    if (flag->kind == FLAG_SOCKET_MODE) {
        bool good = parse_mode(flag, text, field);
        if (!good)
            printable_print(stderr,
                            "rochefort: -%s: \"%s\" is not an octal number from 0600 to 0666 "
                            "with the bits of 0600\n",
                            flag->name, text);
        return good;
    }
    if (flag->kind == FLAG_IGNORED)
        options->ignored_flag = flag->name;
    if (parse_number(flag, text, field))
        return true;
    printable_print(stderr, "rochefort: -%s: \"%s\" is not a number from %lld to %lld%s\n",
                    flag->name, text, (long long)flag->least, (long long)flag->most,
                    flag_takes_units(flag) ? ", with KiB, MiB, GiB or nothing after it" : "");
    return false;
}

static enum command_line_result wrong(const char *argument, const char *why)
{
    printable_print(stderr, "rochefort: %s: %s; see rochefort -help\n", argument, why);
    return COMMAND_LINE_WRONG;
}

/* Of what this process can have: of the machine's memory, or of its control group's if that is
 * less. */
static int64_t quarter_of_memory(int64_t least)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    int64_t machine = pages > 0 && page_bytes > 0 ? (int64_t)pages * page_bytes : 0;
    int64_t group = cgroup_memory_limit("");
    int64_t quarter = (group < machine ? group : machine) / MEMORY_DIVISOR;
    return quarter > least ? quarter : least;
}

static bool set_defaults(struct options *options)
{
    *options = (struct options){0};
    const struct flag *flag;
    for (size_t i = 0; (flag = flags_get(i)) != NULL; i++) {
        if (flag->standard == NULL || flag->kind == FLAG_ADDRESS)
            continue;
        if (!set_flag(flag, flag->standard, options))
            return false;
        if (flag->kind == FLAG_MEMORY) {
            int64_t *bytes = (int64_t *)(void *)((char *)options + flag->field);
            int64_t quarter = quarter_of_memory(flag->least);
            *bytes = quarter < *bytes ? quarter : *bytes;
        }
    }
    return true;
}

void command_line_listen_by_default(struct options *options)
{
    if (options->bind.count == 0)
        options->bind = (struct address_list){.addresses = {FLAGS_DEFAULT_ADDRESS}, .count = 1};
}

enum command_line_result command_line_parse(int argc, char *const argv[], struct options *options)
{
    if (!set_defaults(options))
        return COMMAND_LINE_WRONG;
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (argument[0] != '-')
            return wrong(argument, "not a flag");
        const char *name = argument + (argument[1] == '-' ? 2 : 1);
        size_t bytes = strcspn(name, "=");
        const struct flag *flag = flags_find(name, bytes);
        if (flag == NULL && (strcmp(name, "help") == 0 || strcmp(name, "h") == 0)) {
            flags_print_help();
            return COMMAND_LINE_DONE;
        }
        if (flag == NULL && strcmp(name, "version") == 0) {
            (void)puts("rochefort " ROCHEFORT_VERSION);
            return COMMAND_LINE_DONE;
        }
        if (flag == NULL)
            return wrong(argument, "unknown flag");
        if (flag->kind == FLAG_SWITCH && name[bytes] == '=')
            return wrong(argument, "takes no value");
        if (flag->kind == FLAG_SWITCH) {
            *(bool *)((char *)options + flag->field) = true;
            continue;
        }
        if (name[bytes] != '=' && i + 1 == argc)
            return wrong(argument, "value missing");
        if (!set_flag(flag, name[bytes] == '=' ? name + bytes + 1 : argv[++i], options))
            return COMMAND_LINE_WRONG;
    }
    if (options->read_only && options->lock_wait_seconds > 0)
        return wrong("-lock-wait", "of no use with -read-only, which takes no lock");
    return COMMAND_LINE_SERVE;
}
