#include "options.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/printable.h"
#include "net/listener.h"
#include "net/unix_socket.h"
#include "store/prefix.h"
#include "store/record.h"
#include "tools/tools.h"
#include "work/pool.h"

#define MIB (1024LL * 1024)
#define SECONDS_MAX (24LL * 60 * 60)
#define SYNC_MS_MAX (60LL * 60 * 1000)
#define SYNC_INTERVAL "interval:"
#define MEMORY_DIVISOR 4
#define DEFAULT_ADDRESS "127.0.0.1:8000"
#define PROXY_FORM "an address, address/bits or unix"
#define ADDRESS_FORM "host:port, :port, [v6]:port or unix:/path"

enum kind {
    TEXT,
    ADDRESS,
    NUMBER,
    BYTES,
    MEMORY,
    SYNC,
    MODE,
    SOCKET_MODE,
    SLOTS,
    IGNORED,
    SWITCH,
    PROXY
};

/* MEMORY: BYTES whose default is quarter_of_memory() if that is less than `standard`.
 * MODE: the bits of `most`, in octal, with those of `least`; SOCKET_MODE is that of a socket.
 * ADDRESS: each one is added to those before it, the first replaces the default; PROXY: the same.
 * IGNORED: BYTES that are checked and not used. SWITCH: has no value. */
static const struct flag {
    const char *name, *value;
    const char *standard; /* the default, as it would be given; NULL if there is none */
    const char *help;
    enum kind kind;
    size_t field;
    int64_t least, most; /* INT64_MAX: no limit */
} flags[] = {
    {"buckets", "N", "128", "files per storage prefix, for prefixes created from now on", NUMBER,
     offsetof(struct options, buckets), 1, PREFIX_BUCKETS_MAX},
    {"slots", "A-B/N", NULL,
     "part of all ids that new storage prefixes hold here, one node of several; others get 421",
     SLOTS, offsetof(struct options, slots), 0, 0},
    {"bind", "ADDR", DEFAULT_ADDRESS,
     ADDRESS_FORM "; port 0 picks a free one; may be given several times", ADDRESS,
     offsetof(struct options, bind), 0, 0},
    {"admin-bind", "ADDR", NULL,
     "where /metrics, /stats and the page / are, in place of -bind; may be given several times",
     ADDRESS, offsetof(struct options, admin_bind), 0, 0},
    {"socket-mode", "MODE", "0600",
     "of the files of unix: addresses, in octal; who may write to one may connect", SOCKET_MODE,
     offsetof(struct options, socket_mode), 0600, 0666},
    {"root", "DIR", "rochefort-data", "data lives in DIR/<storagePrefix>/append.<bucket>.raw", TEXT,
     offsetof(struct options, root), 0, 0},
    {"lock-wait", "S", "0",
     "seconds to wait for a root that another server uses, as its standby; 0: end at once", NUMBER,
     offsetof(struct options, lock_wait_seconds), 0, INT32_MAX},
    {"read-only", NULL, NULL,
     "serve what somebody else writes to the root: nothing is written, made or locked", SWITCH,
     offsetof(struct options, read_only), 0, 0},
    {"mode", "MODE", "0600",
     "of new files, in octal; a directory can be entered by those who may read its files", MODE,
     offsetof(struct options, file_mode), 0600, 0664},
    {"max-prefixes", "N", "10000",
     "storage prefixes that may exist; an append to one more gets 507", NUMBER,
     offsetof(struct options, max_prefixes), 1, INT32_MAX},
    {"max-open-prefixes", "N", "4096", "storage prefixes in use at a time; unused ones are closed",
     NUMBER, offsetof(struct options, max_open_prefixes), 1, 1000000},
    {"workers", "N", "2", "disk threads", NUMBER, offsetof(struct options, workers), 1,
     POOL_WORKERS_MAX},
    {"max-value", "BYTES", "64MiB", "largest value", BYTES,
     offsetof(struct options, max_value_bytes), 1, RECORD_VALUE_BYTES_MAX},
    {"max-batch", "BYTES", "64MiB", "largest body of an appendMulti", BYTES,
     offsetof(struct options, max_batch_bytes), 1, RECORD_VALUE_BYTES_MAX},
    {"max-connections", "N", "4096", "open connections; more wait in the kernel's backlog", NUMBER,
     offsetof(struct options, max_connections), 1, 1000000},
    {"max-in-flight", "N", "4096", "requests at a time on one disk thread; more get 503", NUMBER,
     offsetof(struct options, max_in_flight), 1, POOL_IN_FLIGHT_MAX},
    {"max-buffered", "BYTES", "1GiB", "memory for all request bodies and replies", MEMORY,
     offsetof(struct options, max_buffered_bytes), MIB, INT64_MAX},
    {"idle-timeout", "S", "75", "seconds until a connection without a request is closed; 0: never",
     NUMBER, offsetof(struct options, idle_seconds), 0, SECONDS_MAX},
    {"header-timeout", "S", "20", "seconds for the head of a request; 0: no limit", NUMBER,
     offsetof(struct options, head_seconds), 0, SECONDS_MAX},
    {"min-rate", "BYTES", "512", "per second, of request bodies and of replies; 0: no limit", BYTES,
     offsetof(struct options, rate_bytes_a_second_min), 0, INT32_MAX},
    {"min-rate-window", "S", "10", "seconds over which -min-rate is measured", NUMBER,
     offsetof(struct options, rate_window_seconds), 1, SECONDS_MAX},
    {"cache-control", "TEXT", "no-cache", "Cache-Control of values: what caches may do with them",
     TEXT, offsetof(struct options, cache_control), 0, 0},
    {"allow-origin", "LIST", "none",
     "origins whose web pages may send requests, with commas between; or any, none", TEXT,
     offsetof(struct options, allow_origin), 0, 0},
    {"allow-host", "LIST", "any",
     "host names that requests may be for, with commas between; or any, none", TEXT,
     offsetof(struct options, allow_host), 0, 0},
    {"tokens", "FILE", NULL, "who may do what; without it nobody is asked for a token", TEXT,
     offsetof(struct options, token_file), 0, 0},
    {"write-behind", "BYTES", NULL, "ignored; accepted from old command lines", IGNORED, 0, 0,
     INT64_MAX},
    {"sync", "WHEN", "never", "when appends are synced to disk: never, interval:MS or always", SYNC,
     offsetof(struct options, sync_after_ms), 1, SYNC_MS_MAX},
    {"sync-threads", "N", "4", "threads on which syncs run, each one sync at a time", NUMBER,
     offsetof(struct options, sync_threads), 1, SYNC_POOL_THREADS_MAX},
    {"access-log", "FILE", NULL,
     "one line for each request; - is standard output; SIGHUP opens the file again", TEXT,
     offsetof(struct options, access_log), 0, 0},
    {"trusted-proxy", "ADDRESS", NULL,
     PROXY_FORM
     "; its X-Forwarded-For names the clients in -access-log; may be given several times",
     PROXY, offsetof(struct options, trusted_proxies), 0, 0},
    {"log-slower-than", "MS", "-1", "log each request that takes longer; 0: all, -1: none", NUMBER,
     offsetof(struct options, log_slower_ms), -1, INT32_MAX},
};

#define FLAGS (sizeof(flags) / sizeof(flags[0]))

/* What may follow a number of bytes, the largest first. */
static const struct unit {
    const char *name;
    int64_t bytes;
} units[] = {{"GiB", 1024 * MIB}, {"MiB", MIB}, {"KiB", 1024}, {"", 1}};

#define UNITS (sizeof(units) / sizeof(units[0]))

static bool takes_units(const struct flag *flag)
{
    return flag->kind == BYTES || flag->kind == MEMORY || flag->kind == IGNORED;
}

/* In the largest unit that needs no fraction. */
static void print_number(const struct flag *flag, int64_t number)
{
    size_t i = takes_units(flag) && number != 0 ? 0 : UNITS - 1;
    while (number % units[i].bytes != 0)
        i++;
    (void)printf("%lld%s", (long long)(number / units[i].bytes), units[i].name);
}

static void print_limits(const struct flag *flag)
{
    if (flag->kind == MODE || flag->kind == SOCKET_MODE) {
        (void)printf("%04llo to %04llo", (unsigned long long)flag->least,
                     (unsigned long long)flag->most);
        return;
    }
    if (flag->kind == SYNC)
        (void)printf("MS ");
    if (flag->most == INT64_MAX)
        (void)printf("at least ");
    print_number(flag, flag->least);
    if (flag->most == INT64_MAX)
        return;
    (void)printf(" to ");
    print_number(flag, flag->most);
}

/* "(1 to 64; default 2)" */
static void print_flag(const struct flag *flag)
{
    (void)printf("  -%s%s%s\n        %s", flag->name, flag->value != NULL ? " " : "",
                 flag->value != NULL ? flag->value : "", flag->help);
    if (flag->standard == NULL) {
        (void)putchar('\n');
        return;
    }
    (void)printf(" (");
    if (flag->kind != TEXT && flag->kind != ADDRESS) {
        print_limits(flag);
        (void)printf("; ");
    }
    (void)printf("default %s%s)\n", flag->standard,
                 flag->kind == MEMORY
                     ? ", or a quarter of the machine's or the cgroup's memory if that is less"
                     : "");
}

static void print_help(void)
{
    (void)printf("usage: rochefort [-flag value]...\n"
                 "Appends values to files and answers with the offset, over HTTP.\n"
                 "BYTES may end in KiB, MiB or GiB.\n\n");
    for (size_t i = 0; i < FLAGS; i++)
        print_flag(&flags[i]);
    (void)printf("  -version\n        print the version\n"
                 "  -help\n        print this\n\n%s",
                 tools_help);
}

static const struct flag *find_flag(const char *name, size_t bytes)
{
    for (size_t i = 0; i < FLAGS; i++)
        if (strlen(flags[i].name) == bytes && memcmp(flags[i].name, name, bytes) == 0)
            return &flags[i];
    return NULL;
}

/* 0 if it is no unit. */
static int64_t unit_bytes(const char *name)
{
    for (size_t i = 0; i < UNITS; i++)
        if (strcmp(units[i].name, name) == 0)
            return units[i].bytes;
    return 0;
}

static bool parse_number(const struct flag *flag, const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    bool digit_first =
        text[0] == '-' ? text[1] >= '0' && text[1] <= '9' : text[0] >= '0' && text[0] <= '9';
    long long number = strtoll(text, &end, 10);
    int64_t factor = takes_units(flag) ? unit_bytes(end) : *end == '\0';
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
           (flag->kind == SOCKET_MODE || (mode & S_IWGRP) == 0 || (mode & S_IRGRP) != 0);
}

static bool add_address(const struct flag *flag, const char *text, struct address_list *list)
{
    if (!listener_address_valid(text)) {
        printable_print(stderr, "rochefort: -%s: \"%s\" is not of the form %s%s\n", flag->name,
                        text, ADDRESS_FORM,
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
        printable_print(stderr, "rochefort: -%s: \"%s\" is not " PROXY_FORM "\n", flag->name, text);
    return error == 0;
}

static bool set_flag(const struct flag *flag, const char *text, struct options *options)
{
    int64_t ignored;
    void *field = flag->kind == IGNORED ? (void *)&ignored : (char *)options + flag->field;
    if (flag->kind == ADDRESS)
        return add_address(flag, text, field);
    if (flag->kind == PROXY)
        return add_proxy(flag, text, field);
    if (flag->kind == TEXT) {
        *(const char **)field = text;
        if (text[0] == '\0')
            printable_print(stderr, "rochefort: -%s: \"\" is not of the form %s\n", flag->name,
                            flag->value);
        return text[0] != '\0';
    }
    if (flag->kind == SLOTS) {
        bool good = manifest_parse_slots(text, field);
        if (!good)
            printable_print(stderr,
                            "rochefort: -%s: \"%s\" is not A-B/N with A <= B < N and N up to %d\n",
                            flag->name, text, SLOTS_MAX);
        return good;
    }
    if (flag->kind == SYNC) {
        bool good = parse_sync(flag, text, field);
        if (!good)
            printable_print(stderr,
                            "rochefort: -%s: \"%s\" is not never, always or interval:MS, with MS "
                            "from %lld to %lld\n",
                            flag->name, text, (long long)flag->least, (long long)flag->most);
        return good;
    }
    if (flag->kind == MODE) {
        bool good = parse_mode(flag, text, field);
        if (!good)
            printable_print(stderr,
                            "rochefort: -%s: \"%s\" is not 0600, 0604, 0640, 0644, 0660 or 0664\n",
                            flag->name, text);
        return good;
    }
    if (flag->kind == SOCKET_MODE) {
        bool good = parse_mode(flag, text, field);
        if (!good)
            printable_print(stderr,
                            "rochefort: -%s: \"%s\" is not an octal number from 0600 to 0666 "
                            "with the bits of 0600\n",
                            flag->name, text);
        return good;
    }
    if (flag->kind == IGNORED)
        options->ignored_flag = flag->name;
    if (parse_number(flag, text, field))
        return true;
    printable_print(stderr, "rochefort: -%s: \"%s\" is not a number from %lld to %lld%s\n",
                    flag->name, text, (long long)flag->least, (long long)flag->most,
                    takes_units(flag) ? ", with KiB, MiB, GiB or nothing after it" : "");
    return false;
}

static enum options_result wrong(const char *argument, const char *why)
{
    printable_print(stderr, "rochefort: %s: %s; see rochefort -help\n", argument, why);
    return OPTIONS_WRONG;
}

/* Of what this process can have: of the machine's memory, or of its control group's if that is
 * less. */
static int64_t quarter_of_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    int64_t machine = pages > 0 && page_bytes > 0 ? (int64_t)pages * page_bytes : 0;
    int64_t group = cgroup_memory_limit("");
    int64_t quarter = (group < machine ? group : machine) / MEMORY_DIVISOR;
    return quarter > MIB ? quarter : MIB;
}

static bool set_defaults(struct options *options)
{
    *options = (struct options){0};
    for (size_t i = 0; i < FLAGS; i++) {
        if (flags[i].standard == NULL || flags[i].kind == ADDRESS)
            continue;
        if (!set_flag(&flags[i], flags[i].standard, options))
            return false;
        if (flags[i].kind == MEMORY) {
            int64_t *bytes = (int64_t *)(void *)((char *)options + flags[i].field);
            int64_t quarter = quarter_of_memory();
            *bytes = quarter < *bytes ? quarter : *bytes;
        }
    }
    return true;
}

void options_listen_by_default(struct options *options)
{
    if (options->bind.count == 0)
        options->bind = (struct address_list){.addresses = {DEFAULT_ADDRESS}, .count = 1};
}

enum options_result options_parse(int argc, char *const argv[], struct options *options)
{
    if (!set_defaults(options))
        return OPTIONS_WRONG;
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (argument[0] != '-')
            return wrong(argument, "not a flag");
        const char *name = argument + (argument[1] == '-' ? 2 : 1);
        size_t bytes = strcspn(name, "=");
        const struct flag *flag = find_flag(name, bytes);
        if (flag == NULL && (strcmp(name, "help") == 0 || strcmp(name, "h") == 0)) {
            print_help();
            return OPTIONS_DONE;
        }
        if (flag == NULL && strcmp(name, "version") == 0) {
            (void)puts("rochefort " ROCHEFORT_VERSION);
            return OPTIONS_DONE;
        }
        if (flag == NULL)
            return wrong(argument, "unknown flag");
        if (flag->kind == SWITCH && name[bytes] == '=')
            return wrong(argument, "takes no value");
        if (flag->kind == SWITCH) {
            *(bool *)((char *)options + flag->field) = true;
            continue;
        }
        if (name[bytes] != '=' && i + 1 == argc)
            return wrong(argument, "value missing");
        if (!set_flag(flag, name[bytes] == '=' ? name + bytes + 1 : argv[++i], options))
            return OPTIONS_WRONG;
    }
    if (options->read_only && options->lock_wait_seconds > 0)
        return wrong("-lock-wait", "of no use with -read-only, which takes no lock");
    return OPTIONS_SERVE;
}
