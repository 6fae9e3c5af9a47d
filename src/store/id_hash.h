/*
 * id_hash: the hashes of an id, one of which picks its bucket.
 *
 * Which of them counts is known only when the prefix is open, see manifest.h.
 * XXH3 takes a few nanoseconds, and most prefixes need no other. FNV-1a takes
 * one for each byte, so it is computed later, from a copy of the id, unless
 * the id is long; so is XXH32, which says in which slot an id is, see slots.h.
 *
 * Pure functions; any thread.
 */
#ifndef ROCHEFORT_STORE_ID_HASH_H
#define ROCHEFORT_STORE_ID_HASH_H

#include <stddef.h>
#include <stdint.h>

/* A UUID fits. */
#define ID_HASH_COPY_BYTES 39

struct id_hash {
    uint64_t xxh3;       /* XXH3_64bits, seed 0 */
    uint32_t long_fnv1a; /* of an id that is too long for `copy` */
    uint32_t long_xxh32;
    uint8_t copy_bytes; /* its length; more than `copy` has: it is not in there */
    char copy[ID_HASH_COPY_BYTES];
};

struct id_hash id_hash_of(const void *id, size_t bytes);

/* FNV-1a, 32 bits. */
uint32_t id_hash_fnv1a(const struct id_hash *hash);

/* XXH32, seed 0. */
uint32_t id_hash_xxh32(const struct id_hash *hash);

#endif
