#include "store/id_hash.h"

#include <string.h>
#include <xxhash.h>

#define FNV_OFFSET_BASIS UINT32_C(2166136261)
#define FNV_PRIME UINT32_C(16777619)

static uint32_t compute_fnv1a(const char *bytes, size_t count)
{
    uint32_t hash = FNV_OFFSET_BASIS;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * FNV_PRIME;
    return hash;
}

struct id_hash id_hash_of(const void *id, size_t bytes)
{
    struct id_hash hash;
    hash.xxh3 = XXH3_64bits(id, bytes);
    hash.long_fnv1a = hash.long_xxh32 = 0;
    hash.copy_bytes = ID_HASH_COPY_BYTES + 1;
    if (bytes <= ID_HASH_COPY_BYTES) {
        hash.copy_bytes = (uint8_t)bytes;
        memcpy(hash.copy, id, bytes);
    } else {
        hash.long_fnv1a = compute_fnv1a(id, bytes);
        hash.long_xxh32 = XXH32(id, bytes, 0);
    }
    return hash;
}

uint32_t id_hash_fnv1a(const struct id_hash *hash)
{
    return hash->copy_bytes <= ID_HASH_COPY_BYTES ? compute_fnv1a(hash->copy, hash->copy_bytes)
                                                  : hash->long_fnv1a;
}

uint32_t id_hash_xxh32(const struct id_hash *hash)
{
    return hash->copy_bytes <= ID_HASH_COPY_BYTES ? XXH32(hash->copy, hash->copy_bytes, 0)
                                                  : hash->long_xxh32;
}
