/*
 * tail: where the next record goes in a file that this process did not write.
 *
 * The server may have been killed in the middle of a write. So when a file is
 * opened for appending the headers are followed from a known record to the end.
 *
 * The known record is the file's checkpoint: the offset and the header of a
 * record, in the extended attribute user.rochefort.record of the file itself, so
 * it goes where the file goes, and no other file has it. The bucket renews it now
 * and then. It is only a hint, and valid if and only if that very header is at
 * that offset. Without one (files of another program, a file system without
 * attributes) the search begins at offset 0, and is given up if it is long.
 *
 * No checkpoint is ever synced. After a power cut it may be older than the file:
 * then there are more headers to follow. Or newer, of a record that came after
 * the last sync: if its header is there, nothing before it is examined or cut; if
 * not, there is no checkpoint. What a sync brought to the disk is whole, so no
 * search ends in the middle of it, and nothing of it can be cut off.
 *
 * What is found at the end is cut off only if it cannot be anything but the
 * beginning of an append: less than a header, whatever bytes these are, or a valid
 * header whose value is cut short, right after a whole record. All else is left as
 * it is, the gap that `rochefort repair` puts at the end too.
 *
 * Any thread. Errors: 0, -errno or one of store/error.h.
 */
#ifndef ROCHEFORT_STORE_TAIL_H
#define ROCHEFORT_STORE_TAIL_H

#include <stdint.h>

#include "store/record.h"

enum tail_state {
    TAIL_WHOLE,      /* the last record ends where the file ends */
    TAIL_TORN,       /* after `whole` comes the beginning of an append */
    TAIL_DAMAGED,    /* after `whole` come bytes that are no record */
    TAIL_NOT_REACHED /* it would have taken too many reads: nothing is known of the end */
};

struct tail {
    enum tail_state state;
    int64_t whole;      /* bytes up to the end of the last whole record that was found */
    int64_t checkpoint; /* offset of its record, -1: there is none, or none that is valid */
};

/* Finds out about the end of a file of `bytes` bytes. STORE_CHANGED: it has fewer. */
int tail_find(int fd, int64_t bytes, struct tail *tail);

/* The same of a file that has grown since, from where its whole records ended then. */
int tail_find_on(int fd, int64_t bytes, struct tail *tail);

/* Makes the record at `offset` the checkpoint. It is only a hint, so this has no result. */
void tail_write_checkpoint(int fd, int64_t offset, const uint8_t header[RECORD_HEADER_BYTES]);

#endif
