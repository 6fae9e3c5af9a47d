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
#include "tools/in_use.h"
#include "tools/json_line.h"
#include "tools/report.h"
#include "tools/scan.h"
#include "tools/targets.h"
#include "tools/tools.h"

struct tally {
    const char *path;
    bool json;
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

static void print_json_part(const struct tally *tally, const struct scan_part *part,
                            const char *what)
{
    json_line_begin("damage");
    json_line_text("file", tally->path);
    json_line_text("what", what);
    json_line_number("offset", (uint64_t)part->offset);
    json_line_number("bytes", (uint64_t)part->bytes);
    json_line_number("unreadable_bytes", part->unreadable_bytes);
    json_line_flag("begins_with_record_cut_short", part->overclaims);
    json_line_end();
}

static void print_part(const struct tally *tally, const struct scan_part *part, const char *what)
{
    if (tally->json) {
        print_json_part(tally, part, what);
        return;
    }
    report_progress_end();
    printable_print(stdout, "%s: offset %" PRId64 ": %s%s, %" PRId64 " bytes", tally->path,
                    part->offset, what, part->overclaims ? ", begins with a record cut short" : "",
                    part->bytes);
    if (part->unreadable_bytes > 0)
        (void)printf(", of which the disk cannot read %" PRIu64, part->unreadable_bytes);
    (void)putchar('\n');
}

/* No damage, but the server has not written it. */
static void print_empty(const struct tally *tally, const struct scan_part *part)
{
    if (tally->json) {
        json_line_begin("empty record");
        json_line_text("file", tally->path);
        json_line_number("offset", (uint64_t)part->offset);
        json_line_end();
        return;
    }
    report_progress_end();
    printable_print(stdout, "%s: the record at offset %" PRId64 " is empty\n", tally->path,
                    part->offset);
}

static int count_part(void *context, const struct scan_part *part)
{
    struct tally *tally = context;
    uint64_t bytes = (uint64_t)part->bytes;
    tally->bytes += bytes;
    switch (part->kind) {
    case SCAN_RECORD:
        tally->records++;
        if (part->header.value_bytes == 0) {
            tally->empty++;
            print_empty(tally, part);
        }
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
        print_part(tally, part, "damaged range");
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

static void print_tally(const struct tally *tally, bool damaged, bool all_read)
{
    report_progress_end();
    (void)printf("%" PRIu64 " records, %" PRIu64 " bytes", tally->records, tally->bytes);
    if (tally->empty > 0)
        (void)printf(", %" PRIu64 " of them empty", tally->empty);
    if (tally->unconfirmed > 0)
        (void)printf(", %" PRIu64 " with damage on both sides", tally->unconfirmed);
    print_count("gap", tally->gaps, tally->gap_bytes);
    print_count("damaged range", tally->ranges, tally->range_bytes);
    print_count("torn tail", tally->tails, tally->tail_bytes);
    print_count("unreadable record", tally->unreadable, tally->unreadable_bytes);
    if (!all_read)
        (void)printf("; not all could be read");
    (void)puts(damaged ? ": damaged" : all_read ? ": whole" : "");
}

/* The members of a file's line and of the last one. */
static void print_json_tally(const struct tally *tally, const char *state)
{
    json_line_text("state", state);
    json_line_number("records", tally->records);
    json_line_number("bytes", tally->bytes);
    json_line_number("empty_records", tally->empty);
    json_line_number("records_with_damage_on_both_sides", tally->unconfirmed);
    json_line_number("gaps", tally->gaps);
    json_line_number("gap_bytes", tally->gap_bytes);
    json_line_number("damaged_ranges", tally->ranges);
    json_line_number("damaged_range_bytes", tally->range_bytes);
    json_line_number("torn_tails", tally->tails);
    json_line_number("torn_tail_bytes", tally->tail_bytes);
    json_line_number("unreadable_records", tally->unreadable);
    json_line_number("unreadable_record_bytes", tally->unreadable_bytes);
    json_line_end();
}

static void print_json_file(const struct tally *tally, const char *state)
{
    json_line_begin("file");
    json_line_text("file", tally->path);
    print_json_tally(tally, state);
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

/* 0, or -1 if the file could not be read to its end. `into->path` is its path. */
static int scan_file(bool follow, struct tally *into)
{
    int fd = targets_open(into->path, follow);
    if (fd < 0)
        return -1;
    struct scan scan = {.fd = fd,
                        .read_values = true,
                        .part = count_part,
                        .progress = verify_progress,
                        .context = into};
    int error = scan_run(&scan);
    (void)close(fd);
    if (error != 0)
        report_line("%s: %s", into->path, strerror(-error));
    return error != 0 ? -1 : 0;
}

/* As scan_file; what could not be read to its end is not counted. */
static int verify_file(const char *path, bool follow, struct tally *total)
{
    struct tally tally = {.path = path, .json = total->json};
    int result = scan_file(follow, &tally);
    if (tally.json) {
        print_json_file(&tally, result != 0          ? "unreadable"
                                : is_damaged(&tally) ? "damaged"
                                                     : "whole");
    } else if (result == 0) {
        printable_print(stdout, "%s: ", path);
        print_tally(&tally, is_damaged(&tally), true);
    }
    if (result == 0)
        add_tally(total, &tally);
    return result;
}

/* What of several targets is damaged beside their files' content. */
struct losses {
    size_t files, missing, manifests;
    bool unreadable;
};

/* `named`: the user has named this file, and symbolic links to it are followed. */
static bool verify_path(const char *path, bool named, struct tally *total, struct losses *losses)
{
    struct tally tally = {.json = total->json};
    if (verify_file(path, named, &tally) != 0)
        losses->unreadable = true;
    add_tally(total, &tally);
    losses->files++;
    return is_damaged(&tally);
}

/* Its files, and a line if something of it is damaged. */
static void verify_prefix(const struct targets *targets, const struct targets_prefix *prefix,
                          struct tally *total, struct losses *losses)
{
    size_t damaged = 0;
    for (size_t i = 0; i < prefix->count; i++)
        damaged += verify_path(targets->paths[prefix->first + i], false, total, losses);
    losses->missing += prefix->missing;
    losses->manifests += prefix->bad_manifest;
    if (damaged == 0 && prefix->missing == 0 && !prefix->bad_manifest)
        return;
    if (total->json) {
        json_line_begin("prefix");
        json_line_text("prefix", prefix->path);
        json_line_text("state", "damaged");
        json_line_number("files", prefix->count);
        json_line_number("damaged_files", damaged);
        json_line_number("missing_files", prefix->missing);
        json_line_flag("manifest_valid", !prefix->bad_manifest);
        json_line_end();
        return;
    }
    report_progress_end();
    printable_print(stdout, "%s: %zu files", prefix->path, prefix->count);
    if (damaged > 0)
        (void)printf(", %zu of them damaged", damaged);
    if (prefix->missing > 0)
        (void)printf(", %zu missing or not made with it", prefix->missing);
    (void)puts(prefix->bad_manifest ? ", MANIFEST not valid: damaged" : ": damaged");
}

static void verify_argument(const char *argument, struct tally *total, struct losses *losses)
{
    struct targets targets;
    bool usable = targets_find(argument, &targets) == 0;
    if (usable && in_use_now(argument))
        report_line("%s: a rochefort is using it: a torn tail may be an append under way",
                    argument);
    losses->unreadable = losses->unreadable || !usable || targets.unreadable;
    for (size_t i = 0; usable && i < targets.prefix_count; i++)
        verify_prefix(&targets, &targets.prefixes[i], total, losses);
    if (usable && targets.prefix_count == 0 && targets.count > 0)
        (void)verify_path(targets.paths[0], true, total, losses);
    targets_free(&targets);
}

static void print_total(const struct tally *total, const struct losses *losses, bool damaged)
{
    if (total->json) {
        json_line_begin("total");
        json_line_number("files", losses->files);
        json_line_number("missing_files", losses->missing);
        json_line_number("manifests_not_valid", losses->manifests);
        json_line_flag("all_read", !losses->unreadable);
        print_json_tally(total, damaged ? "damaged" : losses->unreadable ? "unreadable" : "whole");
        return;
    }
    (void)printf("total: %zu files, ", losses->files);
    if (losses->missing > 0)
        (void)printf("%zu missing, ", losses->missing);
    if (losses->manifests > 0)
        (void)printf("%zu MANIFEST not valid, ", losses->manifests);
    print_tally(total, damaged, !losses->unreadable);
}

int verify_run(int count, char *const arguments[], bool json)
{
    struct tally total = {.json = json};
    struct losses losses = {0};
    for (int i = 0; i < count; i++)
        verify_argument(arguments[i], &total, &losses);
    bool damaged = is_damaged(&total) || losses.missing + losses.manifests > 0;
    print_total(&total, &losses, damaged);
    return tools_finish_output(losses.unreadable ? TOOLS_USAGE
                               : damaged         ? TOOLS_DAMAGED
                                                 : TOOLS_WHOLE);
}
