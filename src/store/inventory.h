/*
 * inventory: what is in the directory of a prefix, and what that means.
 *
 * A creation makes the bucket files, then MANIFEST. So whatever cut it short
 * (a kill, a full disk, a power cut), no file holds a record yet. If one does
 * and MANIFEST does not say where its id belongs, nothing is guessed: a wrong
 * guess would answer a request with the value of another id.
 *
 * Earlier servers wrote no MANIFEST but the number of buckets to the
 * directory's extended attribute user.rochefort.buckets, the buckets attribute.
 * It is still read, never written.
 *
 * Any thread. Errors: 0, -errno or one of store/error.h.
 */
#ifndef ROCHEFORT_STORE_INVENTORY_H
#define ROCHEFORT_STORE_INVENTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "store/manifest.h"
#include "store/names.h"

struct inventory {
    int manifest_error;       /* of manifest_read */
    struct manifest manifest; /* if that is 0 */
    unsigned attribute;       /* the buckets attribute; 0: none */
    unsigned count;           /* bucket files */
    unsigned lowest, highest; /* of them, if there are any */
    bool has_records;         /* without a MANIFEST only: a bucket file is not empty */
    int file_error;           /* without a MANIFEST only: `bad_file` is not a regular file */
    unsigned bad_file;
    uint64_t files[PREFIX_BUCKETS_MAX / 64]; /* a bit for each bucket that has a file */
};

static inline bool inventory_has_file(const struct inventory *inventory, unsigned bucket)
{
    return (inventory->files[bucket / 64] >> bucket % 64 & 1) != 0;
}

/* Looks into a directory. An error of MANIFEST is not returned, but is in the inventory. */
int inventory_take(int directory_fd, struct inventory *inventory);

/*
 * What it means. 0: the prefix is complete, and `manifest` says how ids find their buckets.
 *   STORE_NO_PREFIX           no bucket file is there
 *   STORE_INCOMPLETE          a creation was cut short; no record is there; `manifest` says what
 *                             was being made
 *   STORE_FILES_MISSING       the file of a bucket, and maybe more
 *   STORE_FILES_ADDITIONAL    of a bucket that must have none
 *   STORE_NO_MANIFEST, ...    what manifest_read says, if records are there or could be
 *   -EISDIR, -ELOOP, STORE_NOT_REGULAR
 *                             something else is in the place of a bucket file, and there is no
 *                             MANIFEST
 * `*file` is what the error is about: a bucket, PREFIX_MANIFEST or PREFIX_DIRECTORY.
 */
int inventory_check(const struct inventory *inventory, struct manifest *manifest, unsigned *file);

/* Removes the buckets attribute; it is no error if there is none. */
int inventory_remove_attribute(int directory_fd);

#endif
