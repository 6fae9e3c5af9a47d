/*
 * scan: what is in a file of records, from its first byte to its last.
 *
 * Follows the records from offset 0. Where none starts it searches for the next
 * header with a right checksum, byte by byte. The rule:
 *
 *   A header with a right checksum is a record's if the record ends inside the
 *   file, and a header, a gap or the end of the file follows it.
 *
 *   If damage follows it, it is a record unless a later one overlaps it, as after
 *   a kill: the record that was cut short claims the bytes of those that were
 *   appended behind it. A record overlaps another one if it begins inside it and
 *   ends behind it or is followed as above.
 *
 * "Later" counts where a record was reached from the one before it: older ones
 * inside it are its value's own, such as a copy of a file of records.
 *
 * What cannot be known:
 *   - damage to the header of a value that itself holds records, damage before and after such a
 *     record, or such a value cut off exactly where one of its records ends: these are then found
 * as if they had been appended;
 *   - a record that was cut short and claims to end exactly where the file ends, or where a later
 *     record starts, be it one inside a value; or one after which the clock was set back: it is
 *     taken for a record, and what it claims is not listed;
 *   - damage to a value, which has no checksum.
 *
 * Each byte is read once, those in doubt up to three times; memory is constant. One thread.
 * Errors: 0 or -errno.
 */
#ifndef ROCHEFORT_TOOLS_SCAN_H
#define ROCHEFORT_TOOLS_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "store/record.h"

enum scan_kind {
    SCAN_RECORD,
    SCAN_GAP,     /* left by repair, see gap.h */
    SCAN_DAMAGED, /* no record starts in it */
    SCAN_TAIL,    /* the file ends inside a record: cut short, or an append under way */
};

/* The parts tile the file: each starts where the one before it ended. */
struct scan_part {
    enum scan_kind kind;
    int64_t offset, bytes;
    struct record_header header; /* of a record */
    bool confirmed;              /* a record without damage on at least one side */
    bool overclaims;             /* a damaged range that begins with a record cut short */
    uint64_t unreadable_bytes;   /* EIO; of a record only if values are read */
};

struct scan {
    int fd;
    bool read_values; /* otherwise values are skipped, and bad sectors in them not seen */
    /* Called for each part, in order; anything but 0 ends the scan with that result. */
    int (*part)(void *context, const struct scan_part *part);
    /*
     * Called before each MiB that is read, also in the middle of a part, with how far the scan is
     * (it may go back); may be NULL. Results as those of `part`.
     */
    int (*progress)(void *context, int64_t done, int64_t size);
    void *context;
};

/* A file that grows meanwhile is read to where it ended at the start, or to the end of the record
 * that was being written there. */
int scan_run(const struct scan *scan);

#endif
