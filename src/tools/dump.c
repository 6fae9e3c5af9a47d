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
#include "tools/json_line.h"
#include "tools/report.h"
#include "tools/scan.h"
#include "tools/targets.h"
#include "tools/tools.h"

#define COPY_BYTES (3 * 64 * 1024) /* whole groups of base64 */
#define TIME_BYTES sizeof("2554-07-21T23:34:33.709551615Z")

struct listing {
    const char *path;
    bool json;
    bool damaged;
};

/* What follows the file's name on the command line. */
struct offsets {
    int count;
    char *const *texts;
};

static void format_time(uint64_t time_ns, char text[TIME_BYTES])
{
    time_t seconds = (time_t)(time_ns / CLOCK_NS_PER_SECOND);
    struct tm utc;
    /* 64 bits of nanoseconds end in the year 2554: this always fits. */
    size_t bytes = 0;
    if (gmtime_r(&seconds, &utc) != NULL)
        bytes = strftime(text, TIME_BYTES, "%FT%T", &utc);
    if (bytes == 0)
        abort();
    (void)snprintf(text + bytes, TIME_BYTES - bytes, ".%09" PRIu64 "Z",
                   (uint64_t)(time_ns % CLOCK_NS_PER_SECOND));
}

static void begin_record(int64_t offset, const struct record_header *header)
{
    char time[TIME_BYTES];
    format_time(header->time_ns, time);
    json_line_begin("record");
    json_line_number("offset", (uint64_t)offset);
    json_line_text("time", time);
    json_line_number("length", header->value_bytes);
}

static void print_record(const struct listing *listing, const struct scan_part *part)
{
    char time[TIME_BYTES];
    if (listing->json) {
        begin_record(part->offset, &part->header);
        json_line_end();
        return;
    }
    report_progress_end();
    format_time(part->header.time_ns, time);
    (void)printf("%" PRId64 " %s %" PRIu32 "\n", part->offset, time, part->header.value_bytes);
}

static void print_damage(const struct listing *listing, const struct scan_part *part)
{
    const char *what = part->kind == SCAN_TAIL ? "torn tail" : "damaged range";
    if (listing->json) {
        json_line_begin("damage");
        json_line_text("what", what);
        json_line_number("offset", (uint64_t)part->offset);
        json_line_number("bytes", (uint64_t)part->bytes);
        json_line_end();
    }
    report_line("%s: offset %" PRId64 ": %s, %" PRId64 " bytes", listing->path, part->offset, what,
                part->bytes);
}

static int list_part(void *context, const struct scan_part *part)
{
    struct listing *listing = context;
    if (part->kind == SCAN_RECORD) {
        print_record(listing, part);
    } else if (part->kind != SCAN_GAP) {
        listing->damaged = true;
        print_damage(listing, part);
    }
    return ferror(stdout) != 0 ? -errno : 0; /* closed: `dump | head` */
}

/* Not where lines are: they say how far it is. */
static int dump_progress(void *context, int64_t done, int64_t size)
{
    const struct listing *listing = context;
    if (isatty(STDOUT_FILENO) != 1)
        report_progress(listing->path, done, size);
    return 0;
}

static int list_records(const char *path, int fd, bool json)
{
    struct listing listing = {.path = path, .json = json};
    struct scan scan = {
        .fd = fd, .part = list_part, .progress = dump_progress, .context = &listing};
    int error = scan_run(&scan);
    if (error != 0 && ferror(stdout) == 0) {
        report_line("%s: %s", path, strerror(-error));
        return tools_finish_output(TOOLS_USAGE);
    }
    return tools_finish_output(listing.damaged ? TOOLS_DAMAGED : TOOLS_WHOLE);
}

/* -ENOENT: no record starts there; -ENODATA: it is cut short. */
static int find_value(int fd, int64_t size, int64_t offset, struct record_header *header)
{
    uint8_t bytes[RECORD_HEADER_BYTES];
    if (offset > size - RECORD_HEADER_BYTES)
        return -ENOENT;
    int error = file_read_exactly(fd, bytes, sizeof(bytes), offset);
    if (error != 0)
        return error;
    uint64_t after = (uint64_t)(size - offset - RECORD_HEADER_BYTES);
    if (record_header_decode(bytes, after, header) != 0)
        return -ENOENT;
    return header->value_bytes > after ? -ENODATA : 0;
}

/* The value at `offset`, of `left` bytes. */
static int copy_value(int fd, int64_t offset, uint32_t left, uint8_t *buffer, bool json)
{
    while (left > 0 && ferror(stdout) == 0) {
        size_t some = left < COPY_BYTES ? left : COPY_BYTES;
        int error = file_read_exactly(fd, buffer, some, offset);
        if (error != 0)
            return error;
        if (json)
            json_line_base64(buffer, some);
        else
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

/* As find_value. Of a value that cannot be read to its end the line of JSON has what was read, and
 * says why. */
static int write_value(int fd, int64_t size, int64_t offset, uint8_t *buffer, bool json)
{
    struct record_header header;
    int error = find_value(fd, size, offset, &header);
    if (error != 0) {
        if (json) {
            json_line_begin("error");
            json_line_number("offset", (uint64_t)offset);
            json_line_text("error", read_error_text(error));
            json_line_end();
        }
        return error;
    }
    if (json) {
        begin_record(offset, &header);
        json_line_base64_begin("value");
    }
    error = copy_value(fd, offset + RECORD_HEADER_BYTES, header.value_bytes, buffer, json);
    if (json) {
        json_line_base64_end();
        if (error != 0)
            json_line_text("error", read_error_text(error));
        json_line_end();
    }
    return error;
}

static int write_values(const char *path, int fd, const struct offsets *offsets, bool json)
{
    struct stat status;
    uint8_t *buffer = malloc(COPY_BYTES);
    if (buffer == NULL || fstat(fd, &status) != 0) {
        report_line("%s: %s", path, strerror(errno));
        free(buffer);
        return TOOLS_USAGE;
    }
    int result = TOOLS_WHOLE;
    for (int i = 0; i < offsets->count && result == TOOLS_WHOLE && ferror(stdout) == 0; i++) {
        int64_t offset = 0;
        (void)parse_offset(offsets->texts[i], &offset); /* dump_run has checked it */
        int error = write_value(fd, status.st_size, offset, buffer, json);
        if (error != 0) {
            report_line("%s: offset %" PRId64 ": %s", path, offset, read_error_text(error));
            result = TOOLS_DAMAGED;
        }
    }
    free(buffer);
    return tools_finish_output(result);
}

int dump_run(int count, char *const arguments[], bool json)
{
    for (int i = 1; i < count; i++) {
        int64_t offset;
        if (!parse_offset(arguments[i], &offset)) {
            report_line("%s: not an offset; %s", arguments[i], DUMP_USAGE);
            return TOOLS_USAGE;
        }
    }
    int fd = targets_open(arguments[0], true);
    if (fd < 0)
        return TOOLS_USAGE;
    struct offsets offsets = {.count = count - 1, .texts = arguments + 1};
    int result = count > 1 ? write_values(arguments[0], fd, &offsets, json)
                           : list_records(arguments[0], fd, json);
    (void)close(fd);
    return result;
}
