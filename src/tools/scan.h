/*
 * scan: what is in a file of records, from its first byte to its last.
 *
 * Follows the records from offset 0. Where no record starts it searches for
 * the next one, byte by byte. A position found so is taken for a record if its
 * sum is right, it ends inside the file, and
 *   - another header or the end of the file follows it at once, or
 *   - nothing inside it is its rival (rival.h); then it is "alone": one sum
 *     vouches for it, which random bytes have once in 4 billion positions.
 * A chain that has been followed so far wins over headers inside its values.
 *
 * What cannot be told:
 *   - damage to the header of a value that itself holds records, or such a value cut off exactly
 *     where one of them ends: these are then found as if they had been appended;
 *   - a record that was cut short and claims to end exactly where the file ends, or where a later
 *     record starts, be it one inside a value; or one after which the clock was set back: it is
 *     believed, and what it claims is not listed;
 *   - a record with damage before and after it, whose value is a copy of records that is cut off so
 *     that it seems to go on exactly to a later record: it is not found;
 *   - damage to a value, which has no sum.
 *
 * Time is linear in the file's size: all looking for rivals together reads at
 * most SCAN_EFFORT times the file; after that a record is believed. Memory is
 * constant. One thread. Errors: 0 or -errno.
 */
#ifndef ROCHEFORT_TOOLS_SCAN_H
#define ROCHEFORT_TOOLS_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "store/record.h"

#define SCAN_EFFORT 16

enum scan_kind {
    SCAN_RECORD,
    SCAN_GAP,  /* left by repair, see store/gap.h */
    SCAN_HOLE, /* damaged: no record starts in it that could be believed */
    SCAN_TAIL, /* the file ends inside a record: cut short, or an append under way */
};

/* The parts tile the file: each starts where the one before it ended. */
struct scan_part {
    enum scan_kind kind;
    int64_t offset, bytes;
    struct record_header header; /* of a record */
    bool alone;                  /* a record that only its own sum vouches for */
    bool header_lies;            /* a hole that begins with a header whose sum is right */
    uint64_t unreadable_bytes;   /* EIO; always 0 in a record if values are not read */
};

struct scan {
    int fd;
    bool read_values; /* otherwise values are skipped, and bad sectors in them not seen */
    /* Called for each part, in order; anything but 0 ends the scan with that result. */
    int (*part)(void *context, const struct scan_part *part);
    /*
     * Called before each MiB that is read, also in the middle of a part and of a search, with how
     * far the scan is (it may go back to search); may be NULL. Results as those of `part`.
     */
    int (*progress)(void *context, int64_t done, int64_t size);
    void *context;
};

/* A file that grows meanwhile is read to where it ended at the start, or to the end of the record
 * that was being written there. */
int scan_run(const struct scan *scan);

#endif
