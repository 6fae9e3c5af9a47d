/*
 * manifest: how many buckets a prefix has, and how an id finds its bucket.
 *
 * It is the text file MANIFEST in the directory of the prefix:
 *
 *     rochefort 1
 *     buckets 128
 *     hash xxh3
 *     slots 0-1365/4096
 *
 * Exactly these lines, in this order, each with its newline; the last one is
 * there only if the prefix holds a part of all ids. Numbers are decimal without
 * leading zeros. A file of a later version begins with another number.
 *
 * It is written under another name and renamed, when all bucket files exist.
 * So a directory without one holds no record that this server wrote.
 *
 * Any thread. Errors: 0, -errno or one of store/error.h.
 */
#ifndef ROCHEFORT_STORE_MANIFEST_H
#define ROCHEFORT_STORE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/id_hash.h"
#include "store/names.h"
#include "store/root.h"
#include "store/slots.h"

#define MANIFEST_NAME "MANIFEST"
/* Of a valid one: the four lines and numbers of 5 digits. */
#define MANIFEST_BYTES_MAX 80

enum manifest_hash {
    MANIFEST_XXH3, /* bucket = XXH3_64bits(id) % buckets */
    MANIFEST_FNV1A /* bucket = FNV-1a of 32 bits % buckets, the Go original's */
};

struct manifest {
    unsigned buckets; /* 1 .. PREFIX_BUCKETS_MAX */
    enum manifest_hash hash;
    struct slots slots; /* those of the prefix; a count of 0: no such line */
};

/*
 * Reads the text of a MANIFEST.
 *   STORE_MANIFEST_TORN     nothing, zeros, or the beginning of a valid one
 *   STORE_MANIFEST_LATER    of a later version
 *   STORE_MANIFEST_INVALID  anything else
 */
int manifest_parse(const char *text, size_t bytes, struct manifest *manifest);

/* Reads "A-B/N". False if it is not valid. */
bool manifest_parse_slots(const char *text, struct slots *slots);

/* The text of slots whose count is not 0. */
void manifest_format_slots(const struct slots *slots, char out[SLOTS_TEXT_BYTES]);

/* False if there is no hash of that name. */
bool manifest_parse_hash(const char *name, enum manifest_hash *hash);
const char *manifest_hash_name(enum manifest_hash hash);

/* The text of a valid manifest. Returns how many bytes that is. */
size_t manifest_format(const struct manifest *manifest, char out[MANIFEST_BYTES_MAX]);

bool manifest_equal(const struct manifest *a, const struct manifest *b);

/* The bucket of an id. */
static inline unsigned manifest_bucket(const struct manifest *manifest, const struct id_hash *id)
{
    return manifest->hash == MANIFEST_FNV1A ? id_hash_fnv1a(id) % manifest->buckets
                                            : (unsigned)(id->xxh3 % manifest->buckets);
}

/*
 * Reads the MANIFEST of a directory. What manifest_parse says, and
 *   STORE_NO_MANIFEST          there is none
 *   STORE_MANIFEST_UNREADABLE  it is not a regular file, or permission is denied
 */
int manifest_read(int directory_fd, struct manifest *manifest);

/* Writes the MANIFEST of the prefix `name`, whose directory this is, in place of one that is there.
 * It is not synced: prefix_sync.h. For one prefix only one thread at a time may call this. */
int manifest_write(const struct root *root, const char *name, int directory_fd,
                   const struct manifest *manifest);

/* "prefix/MANIFEST" */
#define MANIFEST_PATH_BYTES (PREFIX_NAME_BYTES_MAX + sizeof("/" MANIFEST_NAME))
void manifest_path(const char *name, char out[MANIFEST_PATH_BYTES]);

/* Removes it; it is no error if there is none. */
int manifest_remove(int directory_fd);

#endif
