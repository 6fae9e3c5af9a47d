#include "tools/report.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/printable.h"

#define PROGRESS_EVERY_MS 200

static bool shown; /* a progress line is on the terminal */

void report_progress_end(void)
{
    if (shown)
        (void)fputs("\r\033[K", stderr);
    shown = false;
}

void report_line(const char *format, ...)
{
    va_list arguments;
    report_progress_end();
    (void)fputs("rochefort: ", stderr);
    va_start(arguments, format);
    printable_vprint(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

void report_progress(const char *path, int64_t done, int64_t size)
{
    static uint64_t last_ms;
    if (isatty(STDERR_FILENO) != 1)
        return;
    uint64_t now_ms = clock_monotonic_ns() / CLOCK_NS_PER_MS;
    if (now_ms - last_ms < PROGRESS_EVERY_MS)
        return;
    last_ms = now_ms;
    (void)fputs("\r\033[K", stderr);
    printable_print(stderr, "%s: %lld of %lld MiB", path, (long long)(done >> 20),
                    (long long)(size >> 20));
    (void)fflush(stderr);
    shown = true;
}
