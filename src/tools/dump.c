/*
 * dump: a line for each record, or the values at given offsets.
 *
 * A line is offset, time and length, with one space between, and nothing else
 * goes to standard output: awk and cut can use it. Damage is reported on
 * standard error, with exit status 1. Values are written as they are, with
 * nothing between them; an offset is valid if the server would return its value.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file_io.h"
#include "store/record.h"
#include "tools/report.h"
#include "tools/scan.h"
#include "tools/targets.h"
#include "tools/tools.h"

#define COPY_BYTES (256 * 1024)

struct listing {
    const char *path;
    bool damaged;
};

static void print_record(const struct scan_part *part)
{
    time_t seconds = (time_t)(part->header.time_ns / CLOCK_NS_PER_SECOND);
    uint64_t nanoseconds = part->header.time_ns % CLOCK_NS_PER_SECOND;
    struct tm utc;
    char text[sizeof("2554-07-21T23:34:33")];
    /* 64 bits of nanoseconds end in the year 2554: this always fits. */
    if (gmtime_r(&seconds, &utc) == NULL || strftime(text, sizeof(text), "%FT%T", &utc) == 0)
        abort();
    (void)printf("%" PRId64 " %s.%09" PRIu64 "Z %" PRIu32 "\n", part->offset, text, nanoseconds,
                 part->header.value_bytes);
}

static int list_part(void *context, const struct scan_part *part)
{
    struct listing *listing = context;
    if (part->kind == SCAN_RECORD) {
        print_record(part);
    } else if (part->kind != SCAN_GAP) {
        listing->damaged = true;
        report_line("%s: offset %" PRId64 ": %s, %" PRId64 " bytes", listing->path, part->offset,
                    part->kind == SCAN_TAIL ? "torn tail" : "damaged range", part->bytes);
    }
    return ferror(stdout) != 0 ? -errno : 0; /* closed: `dump | head` */
}

static int list_records(const char *path, int fd)
{
    struct listing listing = {.path = path};
    struct scan scan = {.fd = fd, .part = list_part, .context = &listing};
    int error = scan_run(&scan);
    if (error != 0 && ferror(stdout) == 0) {
        report_line("%s: %s", path, strerror(-error));
        return tools_finish_output(TOOLS_USAGE);
    }
    return tools_finish_output(listing.damaged ? TOOLS_DAMAGED : TOOLS_WHOLE);
}

/* -ENOENT: no record starts there; -ENODATA: it is cut short. */
static int write_value(int fd, int64_t size, int64_t offset, uint8_t *buffer)
{
    uint8_t bytes[RECORD_HEADER_BYTES];
    struct record_header header;
    if (offset > size - RECORD_HEADER_BYTES)
        return -ENOENT;
    int error = file_read_exactly(fd, bytes, sizeof(bytes), offset);
    if (error != 0)
        return error;
    offset += RECORD_HEADER_BYTES;
    if (record_header_decode(bytes, (uint64_t)(size - offset), &header) != 0)
        return -ENOENT;
    if (header.value_bytes > size - offset)
        return -ENODATA;
    for (uint32_t left = header.value_bytes; left > 0 && ferror(stdout) == 0;) {
        size_t some = left < COPY_BYTES ? left : COPY_BYTES;
        error = file_read_exactly(fd, buffer, some, offset);
        if (error != 0)
            return error;
        (void)fwrite(buffer, 1, some, stdout);
        offset += (int64_t)some;
        left -= (uint32_t)some;
    }
    return 0;
}

static const char *read_error_text(int error)
{
    switch (error) {
    case -ENOENT:
        return "no record starts there";
    case -ENODATA:
        return "the record is cut short";
    default:
        return strerror(-error);
    }
}

static bool parse_offset(const char *text, int64_t *offset)
{
    char *end;
    errno = 0;
    *offset = strtoll(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static int write_values(const char *path, int fd, int count, char *const offsets[])
{
    struct stat status;
    uint8_t *buffer = malloc(COPY_BYTES);
    if (buffer == NULL || fstat(fd, &status) != 0) {
        report_line("%s: %s", path, strerror(errno));
        free(buffer);
        return TOOLS_USAGE;
    }
    int result = TOOLS_WHOLE;
    for (int i = 0; i < count && result == TOOLS_WHOLE && ferror(stdout) == 0; i++) {
        int64_t offset = 0;
        (void)parse_offset(offsets[i], &offset); /* dump_run has checked it */
        int error = write_value(fd, status.st_size, offset, buffer);
        if (error != 0) {
            report_line("%s: offset %" PRId64 ": %s", path, offset, read_error_text(error));
            result = TOOLS_DAMAGED;
        }
    }
    free(buffer);
    return tools_finish_output(result);
}

int dump_run(int count, char *const arguments[])
{
    for (int i = 1; i < count; i++) {
        int64_t offset;
        if (!parse_offset(arguments[i], &offset)) {
            report_line("%s: not an offset; usage: rochefort dump FILE [OFFSET]...", arguments[i]);
            return TOOLS_USAGE;
        }
    }
    int fd = targets_open(arguments[0], true);
    if (fd < 0)
        return TOOLS_USAGE;
    int result = count > 1 ? write_values(arguments[0], fd, count - 1, arguments + 1)
                           : list_records(arguments[0], fd);
    (void)close(fd);
    return result;
}
