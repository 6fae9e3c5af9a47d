/*
 * tail: where the next record goes in a file that this process did not write.
 *
 * The server may have been killed in the middle of a write. So when a file is
 * opened for appending the headers are followed from a known record to the end.
 *
 * The known record is the file's mark: the offset and the header of a record,
 * in the extended attribute user.rochefort.record of the file itself, so it
 * goes where the file goes, and no other file ever has it. The bucket renews it
 * now and then; it is not written to the disk with any care and only a hint: a
 * mark is believed if and only if that very header is at that offset. Without
 * one (another program's file, or a file system that knows no attributes) the
 * way begins at offset 0, and is given up if it is long.
 *
 * So no mark is ever synced. After a power cut it may be older than the file:
 * then the way is longer. Or newer, of a record that came after the last sync:
 * then its header is there, and nothing before it is looked at or cut; or it is
 * not, and there is no mark. All that a sync has brought to the disk is whole,
 * so no way ends in the middle of it, and nothing of it can be cut off.
 *
 * What is found is cut off only if it cannot be anything but the beginning of
 * an append: less than a header, whatever bytes these are, or a valid header
 * whose value is cut short, right after a whole record. All else is left as it
 * is, the gap that `rochefort repair` puts at the end too (see gap.h).
 *
 * Any thread. Errors: 0, -errno or one of store/error.h.
 */
#ifndef ROCHEFORT_STORE_TAIL_H
#define ROCHEFORT_STORE_TAIL_H

#include <stdint.h>

#include "store/record.h"

enum tail_state {
    TAIL_WHOLE,   /* the last record ends where the file ends */
    TAIL_TORN,    /* after `whole` comes the beginning of an append */
    TAIL_STRANGE, /* after `whole` come bytes that are no record */
    TAIL_FAR      /* the end was not reached: nothing is known of it */
};

struct tail {
    enum tail_state state;
    int64_t whole;  /* bytes up to the end of the last whole record that was found */
    int64_t marked; /* offset of the marked record, -1: there is none to be believed */
};

/* Finds out about the end of a file of `bytes` bytes. STORE_CHANGED: it has fewer. */
int tail_find(int fd, int64_t bytes, struct tail *tail);

/* Marks the record at `offset`. Only a hint, so it has no result. */
void tail_mark(int fd, int64_t offset, const uint8_t header[RECORD_HEADER_BYTES]);

#endif
