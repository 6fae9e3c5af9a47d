#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/printable.h"

#define LINE_BYTES_MAX 2048

void log_line(const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    time_t now = time(NULL);
    struct tm local;
    size_t begin = 0;
    if (localtime_r(&now, &local) != NULL)
        begin = strftime(line, sizeof(line), "%Y/%m/%d %H:%M:%S ", &local);
    va_list arguments;
    va_start(arguments, format);
    int added = vsnprintf(line + begin, sizeof(line) - begin, format, arguments);
    va_end(arguments);
    if (added < 0)
        return;
    size_t bytes = begin + (size_t)added;
    if (bytes > sizeof(line) - 1)
        bytes = sizeof(line) - 1;
    printable_make(line + begin, bytes - begin);
    line[bytes++] = '\n';
    /* If standard error is gone there is nobody left to tell. */
    ssize_t written = write(STDERR_FILENO, line, bytes);
    (void)written;
}
