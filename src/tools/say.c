#include "tools/say.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_EVERY_MS 200

static bool shown; /* a progress line is on the terminal */

void say_no_progress(void)
{
    if (shown)
        (void)fputs("\r\033[K", stderr);
    shown = false;
}

void say(const char *format, ...)
{
    va_list arguments;
    say_no_progress();
    (void)fputs("rochefort: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

void say_progress(const char *path, int64_t done, int64_t size)
{
    static int64_t last_ms;
    struct timespec now;
    if (isatty(STDERR_FILENO) != 1 || clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return;
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (now_ms - last_ms < PROGRESS_EVERY_MS)
        return;
    last_ms = now_ms;
    (void)fprintf(stderr, "\r\033[K%s: %lld of %lld MiB", path, (long long)(done >> 20),
                  (long long)(size >> 20));
    (void)fflush(stderr);
    shown = true;
}
