#include "options.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/listener.h"
#include "store/prefix.h"
#include "store/record.h"
#include "tools/tools.h"
#include "work/pool.h"

#define MIB (1024 * 1024)
#define SECONDS_MAX (24 * 60 * 60)
#define SYNC_MS_MAX (60 * 60 * 1000)
#define SYNC_INTERVAL "interval:"
#define BUFFERED_BYTES_MOST (1024LL * MIB)
#define BUFFERED_PART_OF_RAM 4

enum kind { TEXT, ADDRESS, NUMBER, BYTES, SYNC };

static const struct flag {
    const char *name, *value, *help;
    enum kind kind;
    size_t field;
    int64_t least, most;
} flags[] = {
    {"buckets", "N", "files per storage prefix, for prefixes created from now on (128)", NUMBER,
     offsetof(struct options, buckets), 1, PREFIX_BUCKETS_MAX},
    {"bind", "ADDR", "host:port, :port or [v6]:port; port 0 picks one (127.0.0.1:8000)", ADDRESS,
     offsetof(struct options, bind), 0, 0},
    {"root", "DIR", "data lives in DIR/<storagePrefix>/append.<bucket>.raw (rochefort-data)", TEXT,
     offsetof(struct options, root), 0, 0},
    {"workers", "N", "disk threads (2)", NUMBER, offsetof(struct options, workers), 1,
     POOL_WORKERS_MAX},
    {"max-value", "BYTES", "largest value taken: 64MiB, 1GiB, plain bytes; under 4GiB (64MiB)",
     BYTES, offsetof(struct options, max_value_bytes), 1, RECORD_VALUE_BYTES_MAX},
    {"max-connections", "N", "clients at a time, others wait to be let in (4096)", NUMBER,
     offsetof(struct options, max_connections), 1, 1000000},
    {"max-in-flight", "N", "requests at a time on one disk thread, others get 503 (4096)", NUMBER,
     offsetof(struct options, max_in_flight), 1, POOL_IN_FLIGHT_MAX},
    {"max-buffered", "BYTES", "memory for all bodies and replies (1GiB, or 1/4 of the RAM)", BYTES,
     offsetof(struct options, max_buffered_bytes), MIB, INT64_MAX},
    {"idle-timeout", "S", "a client that asks for nothing is closed after this; 0 never (75)",
     NUMBER, offsetof(struct options, idle_seconds), 0, SECONDS_MAX},
    {"header-timeout", "S", "from the first byte of a request to the end of its head; 0 any (20)",
     NUMBER, offsetof(struct options, head_seconds), 0, SECONDS_MAX},
    {"min-rate", "BYTES", "a second, for bodies that come and replies that go; 0 any (512)", BYTES,
     offsetof(struct options, rate_bytes_a_second_min), 0, INT32_MAX},
    {"min-rate-window", "S", "over which -min-rate is measured (10)", NUMBER,
     offsetof(struct options, rate_window_seconds), 1, SECONDS_MAX},
    {"write-behind", "BYTES", "appended to a file: begin to write them to disk; 0 never (0)", BYTES,
     offsetof(struct options, write_behind_bytes), 0, INT64_MAX},
    {"sync", "WHEN", "never, interval:MS (appends are on the disk by then) or always (never)", SYNC,
     offsetof(struct options, sync_after_ms), 1, SYNC_MS_MAX},
    {"log-slower-than", "MS", "log each request slower than this; 0 all, -1 none (-1)", NUMBER,
     offsetof(struct options, log_slower_ms), -1, INT32_MAX},
};

#define FLAGS (sizeof(flags) / sizeof(flags[0]))

static void print_help(void)
{
    (void)printf("usage: rochefort [-flag value]...\n"
                 "Appends values to files and answers with the offset, over HTTP.\n\n");
    for (size_t i = 0; i < FLAGS; i++) {
        int width = 24 - (int)strlen(flags[i].name);
        (void)printf("  -%s %-*s %s\n", flags[i].name, width, flags[i].value, flags[i].help);
    }
    (void)printf("  -version\n  -help\n\n%s", tools_help);
}

static const struct flag *find_flag(const char *name, size_t bytes)
{
    for (size_t i = 0; i < FLAGS; i++)
        if (strlen(flags[i].name) == bytes && memcmp(flags[i].name, name, bytes) == 0)
            return &flags[i];
    return NULL;
}

/* What comes after a number of bytes; 0 if it is no unit. */
static int64_t unit(const char *text)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } units[] = {{"", 1}, {"KiB", 1024}, {"MiB", MIB}, {"GiB", 1024LL * MIB}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(units[i].name, text) == 0)
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
    int64_t factor = flag->kind == BYTES ? unit(end) : *end == '\0';
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

static bool set_flag(const struct flag *flag, const char *text, struct options *options)
{
    void *field = (char *)options + flag->field;
    if (flag->kind == TEXT || flag->kind == ADDRESS) {
        bool good = flag->kind == TEXT ? text[0] != '\0' : listener_address_valid(text);
        *(const char **)field = text;
        if (!good)
            (void)fprintf(stderr, "rochefort: -%s: \"%s\" is not of the form %s\n", flag->name,
                          text, flag->kind == TEXT ? "DIR" : "host:port, :port or [v6]:port");
        return good;
    }
    if (flag->kind == SYNC) {
        bool good = parse_sync(flag, text, field);
        if (!good)
            (void)fprintf(stderr,
                          "rochefort: -%s: \"%s\" is not never, always or interval:MS, with MS "
                          "from %lld to %lld\n",
                          flag->name, text, (long long)flag->least, (long long)flag->most);
        return good;
    }
    if (parse_number(flag, text, field))
        return true;
    (void)fprintf(stderr, "rochefort: -%s: \"%s\" is not a number from %lld to %lld%s\n",
                  flag->name, text, (long long)flag->least, (long long)flag->most,
                  flag->kind == BYTES ? ", with KiB, MiB, GiB or nothing after it" : "");
    return false;
}

static enum options_result wrong(const char *argument, const char *why)
{
    (void)fprintf(stderr, "rochefort: %s: %s; see rochefort -help\n", argument, why);
    return OPTIONS_WRONG;
}

/* One part of the memory that this machine has, or a whole GiB if that is less. */
static int64_t default_buffered_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    int64_t part = pages > 0 && page_bytes > 0 ? pages / BUFFERED_PART_OF_RAM * page_bytes : MIB;
    return part < BUFFERED_BYTES_MOST ? part : BUFFERED_BYTES_MOST;
}

enum options_result options_parse(int argc, char *const argv[], struct options *options)
{
    *options = (struct options){.bind = "127.0.0.1:8000",
                                .root = "rochefort-data",
                                .buckets = 128,
                                .workers = 2,
                                .max_value_bytes = 64 * MIB,
                                .max_connections = 4096,
                                .max_in_flight = 4096,
                                .log_slower_ms = -1,
                                .sync_after_ms = -1,
                                .max_buffered_bytes = default_buffered_bytes(),
                                .idle_seconds = 75,
                                .head_seconds = 20,
                                .rate_bytes_a_second_min = 512,
                                .rate_window_seconds = 10,
                                .write_behind_bytes = 0};
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
        if (name[bytes] != '=' && i + 1 == argc)
            return wrong(argument, "value missing");
        if (!set_flag(flag, name[bytes] == '=' ? name + bytes + 1 : argv[++i], options))
            return OPTIONS_WRONG;
    }
    return OPTIONS_SERVE;
}
