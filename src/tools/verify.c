/*
 * verify: reads files to their ends and reports what is whole and what is not.
 *
 * One line for each damaged range, one for each file, one in total. Changes
 * nothing. Exit status 1 if anything is damaged, 2 if anything could not be
 * read, which is worse: then what is in it is unknown.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/printable.h"
#include "tools/report.h"
#include "tools/scan.h"
#include "tools/targets.h"
#include "tools/tools.h"

struct tally {
    const char *path;
    uint64_t records, bytes, empty, unconfirmed;
    uint64_t gaps, gap_bytes;
    uint64_t ranges, range_bytes; /* damaged */
    uint64_t tails, tail_bytes;
    uint64_t unreadable, unreadable_bytes; /* records whose value has bad sectors */
};

static bool is_damaged(const struct tally *tally)
{
    return tally->ranges + tally->tails + tally->unreadable > 0;
}

static void print_part(const struct tally *tally, const struct scan_part *part, const char *what)
{
    report_progress_end();
    printable_print(stdout, "%s: offset %" PRId64 ": %s, %" PRId64 " bytes", tally->path,
                    part->offset, what, part->bytes);
    if (part->unreadable_bytes > 0)
        (void)printf(", of which the disk cannot read %" PRIu64, part->unreadable_bytes);
    (void)putchar('\n');
}

static int count_part(void *context, const struct scan_part *part)
{
    struct tally *tally = context;
    uint64_t bytes = (uint64_t)part->bytes;
    tally->bytes += bytes;
    switch (part->kind) {
    case SCAN_RECORD:
        tally->records++;
        tally->empty += part->header.value_bytes == 0;
        tally->unconfirmed += !part->confirmed;
        if (part->unreadable_bytes > 0) {
            tally->unreadable++;
            tally->unreadable_bytes += part->unreadable_bytes;
            print_part(tally, part, "record");
        }
        break;
    case SCAN_GAP:
        tally->gaps++;
        tally->gap_bytes += bytes;
        break;
    case SCAN_DAMAGED:
        tally->ranges++;
        tally->range_bytes += bytes;
        print_part(tally, part,
                   part->overclaims ? "damaged range, begins with a record cut short"
                                    : "damaged range");
        break;
    case SCAN_TAIL:
        tally->tails++;
        tally->tail_bytes += bytes;
        print_part(tally, part, "torn tail");
        break;
    }
    return 0;
}

static int verify_progress(void *context, int64_t done, int64_t size)
{
    const struct tally *tally = context;
    report_progress(tally->path, done, size);
    return 0;
}

static void print_count(const char *what, uint64_t number, uint64_t bytes)
{
    if (number > 0)
        (void)printf(", %" PRIu64 " %s%s (%" PRIu64 " bytes)", number, what, number == 1 ? "" : "s",
                     bytes);
}

static void print_tally(const struct tally *tally, bool all_read)
{
    report_progress_end();
    (void)printf("%" PRIu64 " records, %" PRIu64 " bytes", tally->records, tally->bytes);
    if (tally->empty > 0)
        (void)printf(", %" PRIu64 " of them empty (the server does not serve those)", tally->empty);
    if (tally->unconfirmed > 0)
        (void)printf(", %" PRIu64 " with damage on both sides", tally->unconfirmed);
    print_count("gap", tally->gaps, tally->gap_bytes);
    print_count("damaged range", tally->ranges, tally->range_bytes);
    print_count("torn tail", tally->tails, tally->tail_bytes);
    print_count("unreadable record", tally->unreadable, tally->unreadable_bytes);
    if (!all_read)
        (void)printf("; not all could be read");
    (void)puts(is_damaged(tally) ? ": damaged" : all_read ? ": whole" : "");
}

static void add_tally(struct tally *total, const struct tally *one)
{
    total->records += one->records;
    total->bytes += one->bytes;
    total->empty += one->empty;
    total->unconfirmed += one->unconfirmed;
    total->gaps += one->gaps;
    total->gap_bytes += one->gap_bytes;
    total->ranges += one->ranges;
    total->range_bytes += one->range_bytes;
    total->tails += one->tails;
    total->tail_bytes += one->tail_bytes;
    total->unreadable += one->unreadable;
    total->unreadable_bytes += one->unreadable_bytes;
}

/* 0, or -1 if the file could not be read to its end. */
static int verify_file(const char *path, bool follow, struct tally *total)
{
    int fd = targets_open(path, follow);
    if (fd < 0)
        return -1;
    struct tally tally = {.path = path};
    struct scan scan = {.fd = fd,
                        .read_values = true,
                        .part = count_part,
                        .progress = verify_progress,
                        .context = &tally};
    int error = scan_run(&scan);
    (void)close(fd);
    if (error != 0) {
        report_line("%s: %s", path, strerror(-error));
        return -1;
    }
    printable_print(stdout, "%s: ", path);
    print_tally(&tally, true);
    add_tally(total, &tally);
    return 0;
}

int verify_run(int arguments_count, char *const arguments[])
{
    struct tally total = {0};
    size_t files_count = 0, missing = 0;
    bool unreadable = false;
    for (int i = 0; i < arguments_count; i++) {
        struct targets targets;
        bool usable = targets_find(arguments[i], &targets) == 0;
        if (usable && targets_in_use(arguments[i]))
            report_line("%s: a rochefort is using it: a torn tail may be an append under way",
                        arguments[i]);
        for (size_t f = 0; usable && f < targets.count; f++) {
            bool named = strcmp(targets.paths[f], arguments[i]) == 0;
            if (verify_file(targets.paths[f], named, &total) != 0)
                unreadable = true;
        }
        unreadable = unreadable || !usable || targets.unreadable;
        files_count += targets.count;
        missing += targets.missing;
        targets_free(&targets);
    }
    (void)printf("total: %zu files, ", files_count);
    if (missing > 0)
        (void)printf("%zu missing, ", missing);
    print_tally(&total, !unreadable);
    int status = is_damaged(&total) || missing > 0 ? TOOLS_DAMAGED : TOOLS_WHOLE;
    return tools_finish_output(unreadable ? TOOLS_USAGE : status);
}
