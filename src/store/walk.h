/*
 * walk: what is at an offset of a file of records, one offset after the other.
 *
 * For those that follow the records of a file: headers that are close to each other are read
 * together, and of long values nothing is read. It goes by the headers alone, as a read at an
 * offset does, so a value that holds records is stepped over as a whole.
 *
 * A walk borrows the descriptor. One thread. Errors: 0, -errno or one of store/error.h.
 */
#ifndef ROCHEFORT_STORE_WALK_H
#define ROCHEFORT_STORE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/record.h"

#define WALK_BUFFER_BYTES (64 * 1024)

enum walk_kind {
    WALK_RECORD,
    WALK_CUT_SHORT, /* a record that goes on behind the end */
    WALK_GAP,       /* see gap.h */
    WALK_DAMAGED,   /* 16 bytes that are neither */
    WALK_TOO_SHORT, /* fewer bytes than a header are left */
    WALK_END
};

/* `fd` and `end` are given, `reads` may be set; the rest is walk.c's. */
struct walk {
    int fd;
    int64_t end;    /* what is behind it does not count */
    unsigned reads; /* of the file, so far */
    int64_t begin;
    size_t bytes;
    uint8_t data[WALK_BUFFER_BYTES];
};

struct walk_part {
    enum walk_kind kind;
    int64_t bytes;               /* of a record or gap, header included */
    struct record_header header; /* of a record, also one that is cut short */
};

/* The buffer is not cleared: it is large. */
void walk_begin(struct walk *walk, int fd, int64_t end);

/* Whether walk_look would have to read the file for the header at `offset`. */
bool walk_must_read(const struct walk *walk, int64_t offset);

/* What is at `offset`, which is not behind the end. STORE_CHANGED: the file ends before it should.
 */
int walk_look(struct walk *walk, int64_t offset, struct walk_part *part);

/* The bytes from `offset` on: at least `wanted` (at most WALK_BUFFER_BYTES) of them, unless the end
 * comes before. Valid until the next call. */
int walk_bytes(struct walk *walk, int64_t offset, size_t wanted, const uint8_t **bytes,
               size_t *got);

#endif
