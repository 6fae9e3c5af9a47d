#include "flags.h"

#include <stdio.h>
#include <string.h>

#include "options.h"
#include "store/prefix.h"
#include "store/record.h"
#include "tools/tools.h"
#include "work/pool.h"

#define MIB (1024LL * 1024)
#define SECONDS_MAX (24LL * 60 * 60)
#define SYNC_MS_MAX (60LL * 60 * 1000)

static const struct flag flags[] = {
    {"buckets", "N", "128", "files per storage prefix, for prefixes created from now on",
     FLAG_NUMBER, offsetof(struct options, buckets), 1, PREFIX_BUCKETS_MAX},
    {"slots", "A-B/N", NULL,
     "part of all ids that new storage prefixes hold here, one node of several; others get 421",
     FLAG_SLOTS, offsetof(struct options, slots), 0, 0},
    {"bind", "ADDR", FLAGS_DEFAULT_ADDRESS,
     FLAGS_ADDRESS_FORM "; port 0 picks a free one; may be given several times", FLAG_ADDRESS,
     offsetof(struct options, bind), 0, 0},
    {"admin-bind", "ADDR", NULL,
     "where /metrics, /stats and the page / are, in place of -bind; may be given several times",
     FLAG_ADDRESS, offsetof(struct options, admin_bind), 0, 0},
    {"socket-mode", "MODE", "0600",
     "of the files of unix: addresses, in octal; who may write to one may connect",
     FLAG_SOCKET_MODE, offsetof(struct options, socket_mode), 0600, 0666},
    {"root", "DIR", "rochefort-data", "data lives in DIR/<storagePrefix>/append.<bucket>.raw",
     FLAG_TEXT, offsetof(struct options, root), 0, 0},
    {"lock-wait", "S", "0",
     "seconds to wait for a root that another server uses, as its standby; 0: end at once",
     FLAG_NUMBER, offsetof(struct options, lock_wait_seconds), 0, INT32_MAX},
    {"read-only", NULL, NULL,
     "serve what somebody else writes to the root: nothing is written, made or locked", FLAG_SWITCH,
     offsetof(struct options, read_only), 0, 0},
    {"mode", "MODE", "0600",
     "of new files, in octal; a directory can be entered by those who may read its files",
     FLAG_MODE, offsetof(struct options, file_mode), 0600, 0664},
    {"max-prefixes", "N", "10000",
     "storage prefixes that may exist; an append to one more gets 507", FLAG_NUMBER,
     offsetof(struct options, max_prefixes), 1, INT32_MAX},
    {"max-open-prefixes", "N", "4096", "storage prefixes in use at a time; unused ones are closed",
     FLAG_NUMBER, offsetof(struct options, max_open_prefixes), 1, 1000000},
    {"workers", "N", "2", "disk threads", FLAG_NUMBER, offsetof(struct options, workers), 1,
     POOL_WORKERS_MAX},
    {"max-value", "BYTES", "64MiB", "largest value", FLAG_BYTES,
     offsetof(struct options, max_value_bytes), 1, RECORD_VALUE_BYTES_MAX},
    {"max-batch", "BYTES", "64MiB", "largest body of an appendMulti", FLAG_BYTES,
     offsetof(struct options, max_batch_bytes), 1, RECORD_VALUE_BYTES_MAX},
    {"max-connections", "N", "4096", "open connections; more wait in the kernel's backlog",
     FLAG_NUMBER, offsetof(struct options, max_connections), 1, 1000000},
    {"max-in-flight", "N", "4096", "requests at a time on one disk thread; more get 503",
     FLAG_NUMBER, offsetof(struct options, max_in_flight), 1, POOL_IN_FLIGHT_MAX},
    {"max-buffered", "BYTES", "1GiB", "memory for all request bodies and replies", FLAG_MEMORY,
     offsetof(struct options, max_buffered_bytes), MIB, INT64_MAX},
    {"idle-timeout", "S", "75", "seconds until a connection without a request is closed; 0: never",
     FLAG_NUMBER, offsetof(struct options, idle_seconds), 0, SECONDS_MAX},
    {"header-timeout", "S", "20", "seconds for the head of a request; 0: no limit", FLAG_NUMBER,
     offsetof(struct options, head_seconds), 0, SECONDS_MAX},
    {"min-rate", "BYTES", "512", "per second, of request bodies and of replies; 0: no limit",
     FLAG_BYTES, offsetof(struct options, rate_bytes_a_second_min), 0, INT32_MAX},
    {"min-rate-window", "S", "10", "seconds over which -min-rate is measured", FLAG_NUMBER,
     offsetof(struct options, rate_window_seconds), 1, SECONDS_MAX},
    {"cache-control", "TEXT", "no-cache", "Cache-Control of values: what caches may do with them",
     FLAG_TEXT, offsetof(struct options, cache_control), 0, 0},
    {"allow-origin", "LIST", "none",
     "origins whose web pages may send requests, with commas between; or any, none", FLAG_TEXT,
     offsetof(struct options, allow_origin), 0, 0},
    {"allow-host", "LIST", "any",
     "host names that requests may be for, with commas between; or any, none", FLAG_TEXT,
     offsetof(struct options, allow_host), 0, 0},
    {"tokens", "FILE", NULL, "who may do what; without it nobody is asked for a token", FLAG_TEXT,
     offsetof(struct options, token_file), 0, 0},
    {"write-behind", "BYTES", NULL, "ignored; accepted from old command lines", FLAG_IGNORED, 0, 0,
     INT64_MAX},
    {"sync", "WHEN", "never", "when appends are synced to disk: never, interval:MS or always",
     FLAG_SYNC, offsetof(struct options, sync_after_ms), 1, SYNC_MS_MAX},
    {"sync-threads", "N", "4", "threads on which syncs run, each one sync at a time", FLAG_NUMBER,
     offsetof(struct options, sync_threads), 1, SYNC_POOL_THREADS_MAX},
    {"access-log", "FILE", NULL,
     "one line for each request; - is standard output; SIGHUP opens the file again", FLAG_TEXT,
     offsetof(struct options, access_log), 0, 0},
    {"trusted-proxy", "ADDRESS", NULL,
     FLAGS_PROXY_FORM
     "; its X-Forwarded-For names the clients in -access-log; may be given several times",
     FLAG_PROXY, offsetof(struct options, trusted_proxies), 0, 0},
    {"log-slower-than", "MS", "-1", "log each request that takes longer; 0: all, -1: none",
     FLAG_NUMBER, offsetof(struct options, log_slower_ms), -1, INT32_MAX},
};

#define FLAGS (sizeof(flags) / sizeof(flags[0]))

/* What may follow a number of bytes, the largest first. */
static const struct unit {
    const char *name;
    int64_t bytes;
} units[] = {{"GiB", 1024 * MIB}, {"MiB", MIB}, {"KiB", 1024}, {"", 1}};

#define UNITS (sizeof(units) / sizeof(units[0]))

bool flag_takes_units(const struct flag *flag)
{
    return flag->kind == FLAG_BYTES || flag->kind == FLAG_MEMORY || flag->kind == FLAG_IGNORED;
}

/* In the largest unit that needs no fraction. */
static void print_number(const struct flag *flag, int64_t number)
{
    size_t i = flag_takes_units(flag) && number != 0 ? 0 : UNITS - 1;
    while (number % units[i].bytes != 0)
        i++;
    (void)printf("%lld%s", (long long)(number / units[i].bytes), units[i].name);
}

static void print_limits(const struct flag *flag)
{
    if (flag->kind == FLAG_MODE || flag->kind == FLAG_SOCKET_MODE) {
        (void)printf("%04llo to %04llo", (unsigned long long)flag->least,
                     (unsigned long long)flag->most);
        return;
    }
    if (flag->kind == FLAG_SYNC)
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
    if (flag->kind != FLAG_TEXT && flag->kind != FLAG_ADDRESS) {
        print_limits(flag);
        (void)printf("; ");
    }
    (void)printf("default %s%s)\n", flag->standard,
                 flag->kind == FLAG_MEMORY
                     ? ", or a quarter of the machine's or the cgroup's memory if that is less"
                     : "");
}

void flags_print_help(void)
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

const struct flag *flags_get(size_t i)
{
    return i < FLAGS ? &flags[i] : NULL;
}

const struct flag *flags_find(const char *name, size_t bytes)
{
    for (size_t i = 0; i < FLAGS; i++)
        if (strlen(flags[i].name) == bytes && memcmp(flags[i].name, name, bytes) == 0)
            return &flags[i];
    return NULL;
}

int64_t flags_unit_bytes(const char *name)
{
    for (size_t i = 0; i < UNITS; i++)
        if (strcmp(units[i].name, name) == 0)
            return units[i].bytes;
    return 0;
}
