/*
 * id_hash: the hashes of an id, one of which picks its bucket.
 *
 * Both are computed when the id is at hand: which of them counts is known only
 * when the prefix is open, see manifest.h. FNV-1a takes about a nanosecond a
 * byte.
 *
 * Pure function; any thread.
 */
#ifndef ROCHEFORT_STORE_ID_HASH_H
#define ROCHEFORT_STORE_ID_HASH_H

#include <stddef.h>
#include <stdint.h>

struct id_hash {
    uint64_t xxh3;  /* XXH3_64bits, seed 0 */
    uint32_t fnv1a; /* FNV-1a, 32 bits */
};

struct id_hash id_hash_of(const void *id, size_t bytes);

#endif
