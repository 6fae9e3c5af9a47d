#include "tools/report.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/printable.h"

#define PROGRESS_EVERY_NS CLOCK_NS_PER_SECOND
#define MIB (1024.0 * 1024)

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

/* When and where the measuring of the rate began: at a file's first bytes. */
static struct {
    uint64_t start_ns;
    int64_t start_bytes, last_bytes;
    uint64_t last_ns; /* when a line was shown */
} progress;

/* Bytes per second; 0 if there is nothing to tell it from. */
static double measure_rate(int64_t done, uint64_t now_ns)
{
    if (progress.start_ns == 0 || done < progress.last_bytes) { /* another file, or read again */
        progress.start_ns = now_ns;
        progress.start_bytes = done;
    }
    progress.last_bytes = done;
    if (now_ns == progress.start_ns)
        return 0;
    return (double)(done - progress.start_bytes) * (double)CLOCK_NS_PER_SECOND /
           (double)(now_ns - progress.start_ns);
}

void report_progress(const char *path, int64_t done, int64_t size)
{
    if (isatty(STDERR_FILENO) != 1)
        return;
    uint64_t now_ns = clock_monotonic_ns();
    double rate = measure_rate(done, now_ns);
    if (progress.last_ns != 0 && now_ns - progress.last_ns < PROGRESS_EVERY_NS)
        return;
    progress.last_ns = now_ns;
    (void)fputs("\r\033[K", stderr);
    printable_print(stderr, "%s: %lld of %lld bytes", path, (long long)done, (long long)size);
    if (rate > 0)
        (void)fprintf(stderr, ", %.1f MiB/s", rate / MIB);
    (void)fflush(stderr);
    shown = true;
}
