/*
 * repair: a copy with the whole records only, each at the offset it had.
 *
 * What is damaged becomes a gap (gap.h) of the same length, a torn tail at the
 * end too: so no offset ever means another record than before, also not after
 * the server has appended to the copy. If the tail was cut off the next append
 * would get the offset of a record that was lost. For the same reason the copy
 * is made longer than the original if less than 16 bytes would be a gap at its
 * end: the server would take these for a torn tail again. A gap has no content,
 * so it takes no room on the disk; the damaged bytes are in the original, which
 * is only read.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_io.h"
#include "base/printable.h"
#include "store/error.h"
#include "store/gap.h"
#include "tools/in_use.h"
#include "tools/json_line.h"
#include "tools/output.h"
#include "tools/report.h"
#include "tools/scan.h"
#include "tools/targets.h"
#include "tools/tools.h"

#define COPY_BYTES (1024 * 1024)
#define ZEROS_BYTES 4096
/* Beside -errno: the file holds none, so a copy would be one gap, and keep nothing. */
#define NO_RECORDS STORE_NOT_FOUND

struct repair {
    const char *path;
    bool json;
    int fd;
    struct output output;
    uint8_t *buffer;
    int64_t copy_from, end; /* records not copied yet; where the next part starts */
    int64_t last_gap;       /* bytes of the gap that ends there; 0: a record ends there */
    uint64_t records, record_bytes, ranges, range_bytes;
    bool output_failed; /* otherwise the input */
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    interrupted = signal_number;
}

static int write_copy(struct repair *repair, const void *bytes, size_t count, int64_t offset)
{
    int error = file_write_at(repair->output.fd, bytes, count, offset);
    repair->output_failed = error != 0;
    return error;
}

/* Skips pieces of zeros, so that sparse files stay sparse. */
static int write_unless_zero(struct repair *repair, size_t count, int64_t offset)
{
    static const uint8_t zeros[ZEROS_BYTES];
    size_t from = 0; /* not written yet */
    for (size_t at = 0; at < count; at += ZEROS_BYTES) {
        size_t some = count - at < ZEROS_BYTES ? count - at : ZEROS_BYTES;
        if (memcmp(repair->buffer + at, zeros, some) != 0)
            continue;
        int error = write_copy(repair, repair->buffer + from, at - from, offset + (int64_t)from);
        if (error != 0)
            return error;
        from = at + some;
    }
    return write_copy(repair, repair->buffer + from, count - from, offset + (int64_t)from);
}

/* Copies the records that are waiting to be copied. */
static int copy_records(struct repair *repair)
{
    while (repair->copy_from < repair->end) {
        if (interrupted != 0)
            return -EINTR;
        int64_t left = repair->end - repair->copy_from;
        size_t some = left < COPY_BYTES ? (size_t)left : COPY_BYTES;
        int error = file_read_exactly(repair->fd, repair->buffer, some, repair->copy_from);
        if (error == 0)
            error = write_unless_zero(repair, some, repair->copy_from);
        if (error != 0)
            return error;
        repair->copy_from += (int64_t)some;
    }
    return 0;
}

static int make_gap(struct repair *repair, int64_t bytes)
{
    uint8_t header[RECORD_HEADER_BYTES];
    int error = copy_records(repair);
    if (error != 0)
        return error;
    unsigned count = gap_encode((uint64_t)bytes, header);
    error = write_copy(repair, header, count, repair->end);
    repair->end += bytes;
    repair->copy_from = repair->end;
    repair->last_gap = bytes;
    return error;
}

/* After the last part: the server would cut off a short gap at the end. */
static int lengthen_last_gap(struct repair *repair)
{
    if (repair->last_gap == 0 || repair->last_gap >= RECORD_HEADER_BYTES)
        return 0;
    repair->end -= repair->last_gap;
    repair->copy_from = repair->end;
    return make_gap(repair, RECORD_HEADER_BYTES);
}

static void print_dropped(const struct repair *repair, const struct scan_part *part,
                          const char *what)
{
    if (repair->json) {
        json_line_begin("dropped");
        json_line_text("file", repair->path);
        json_line_text("what", what);
        json_line_number("offset", (uint64_t)part->offset);
        json_line_number("bytes", (uint64_t)part->bytes);
        json_line_end();
        return;
    }
    report_progress_end();
    printable_print(stdout, "%s: offset %" PRId64 ": dropped: %s, %" PRId64 " bytes\n",
                    repair->path, part->offset, what, part->bytes);
}

static void print_copied(const struct repair *repair, const char *out)
{
    if (repair->json) {
        json_line_begin("copy");
        json_line_text("file", repair->path);
        json_line_text("copy", out);
        json_line_number("records", repair->records);
        json_line_number("record_bytes", repair->record_bytes);
        json_line_number("dropped_ranges", repair->ranges);
        json_line_number("dropped_bytes", repair->range_bytes);
        json_line_end();
        return;
    }
    printable_print(stdout,
                    "%s: kept %" PRIu64 " records of %" PRIu64 " bytes, dropped %" PRIu64
                    " ranges of %" PRIu64 " bytes; all offsets are as before\n",
                    out, repair->records, repair->record_bytes, repair->ranges,
                    repair->range_bytes);
}

static int drop_part(struct repair *repair, const struct scan_part *part, const char *what)
{
    print_dropped(repair, part, what);
    repair->ranges++;
    repair->range_bytes += (uint64_t)part->bytes;
    return make_gap(repair, part->bytes);
}

static int copy_part(void *context, const struct scan_part *part)
{
    struct repair *repair = context;
    if (interrupted != 0)
        return -EINTR;
    switch (part->kind) {
    case SCAN_GAP:
        return make_gap(repair, part->bytes);
    case SCAN_DAMAGED:
        return drop_part(repair, part, "damaged range");
    case SCAN_TAIL:
        return drop_part(repair, part, "torn tail");
    case SCAN_RECORD:
        break;
    }
    if (part->unreadable_bytes > 0)
        return drop_part(repair, part, "a record that the disk cannot read");
    repair->records++;
    repair->record_bytes += (uint64_t)part->bytes;
    repair->end += part->bytes;
    repair->last_gap = 0;
    return repair->end - repair->copy_from >= COPY_BYTES ? copy_records(repair) : 0;
}

static int repair_progress(void *context, int64_t done, int64_t size)
{
    const struct repair *repair = context;
    report_progress(repair->path, done, size);
    return interrupted != 0 ? -EINTR : 0;
}

/* An interrupted copy is removed before the process ends. */
static int catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct sigaction action = {.sa_handler = signals[i] == SIGPIPE ? SIG_IGN : on_interrupt};
        if (sigaction(signals[i], &action, NULL) != 0)
            return -errno;
    }
    /* A limit of the file size is an error to report (EFBIG), not an end. */
    return signal(SIGXFSZ, SIG_IGN) == SIG_ERR ? -errno : 0;
}

static int copy_to(struct repair *repair, const char *out)
{
    struct stat status;
    if (fstat(repair->fd, &status) != 0)
        return -errno;
    int error = output_open(&repair->output, out, &status);
    repair->output_failed = error != 0;
    struct scan scan = {.fd = repair->fd,
                        .read_values = true,
                        .part = copy_part,
                        .progress = repair_progress,
                        .context = repair};
    if (error == 0)
        error = scan_run(&scan);
    if (error == 0 && repair->records == 0 && repair->end > 0)
        error = NO_RECORDS;
    if (error == 0)
        error = copy_records(repair);
    if (error == 0)
        error = lengthen_last_gap(repair);
    if (error == 0) {
        error = output_finish(&repair->output, repair->end);
        repair->output_failed = error != 0;
    }
    output_close(&repair->output);
    return error;
}

static bool names_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int repair_run(int count, char *const arguments[], bool json)
{
    const char *path = arguments[0];
    char *out = NULL;
    int made =
        count == 2 ? asprintf(&out, "%s", arguments[1]) : asprintf(&out, "%s.repaired", path);
    struct repair repair = {.path = path, .json = json, .fd = -1, .output = {.fd = -1}};
    repair.buffer = malloc(COPY_BYTES);
    int error = made < 0 || repair.buffer == NULL ? -ENOMEM : catch_signals();
    int status = TOOLS_DAMAGED;
    if (made < 0)
        out = NULL;
    if (error != 0) {
        report_line("%s: %s", path, strerror(-error));
    } else if (names_directory(path)) {
        report_line("%s: a directory; repair takes one file: rochefort verify %s says which are "
                    "damaged",
                    path, path);
        status = TOOLS_USAGE;
    } else if ((repair.fd = targets_open(path, true)) < 0) {
        status = TOOLS_USAGE;
    } else {
        if (in_use_now(path))
            report_line(
                "%s: a rochefort is using it: what it appends from now on is not in the copy",
                path);
        error = copy_to(&repair, out);
        if (error == -EINTR)
            report_line("%s: interrupted, and removed", out);
        else if (error == NO_RECORDS)
            report_line("%s: no record is in it, so nothing can be repaired; no copy is made",
                        path);
        else if (error == -EEXIST)
            report_line("%s or %s.partial exists, and is not written over", out, out);
        else if (error != 0)
            report_line("%s: %s", repair.output_failed ? out : path, strerror(-error));
        if (error == 0)
            status = TOOLS_WHOLE;
        else if (!repair.output_failed && error != -EINTR && error != NO_RECORDS)
            status = TOOLS_USAGE;
    }
    if (status == TOOLS_WHOLE)
        print_copied(&repair, out);
    if (repair.fd >= 0)
        (void)close(repair.fd);
    free(repair.buffer);
    free(out);
    return tools_finish_output(status);
}
