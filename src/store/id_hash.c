#include "store/id_hash.h"

#include <xxhash.h>

#define FNV_OFFSET_BASIS UINT32_C(2166136261)
#define FNV_PRIME UINT32_C(16777619)

static uint32_t compute_fnv1a(const unsigned char *bytes, size_t count)
{
    uint32_t hash = FNV_OFFSET_BASIS;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ bytes[i]) * FNV_PRIME;
    return hash;
}

struct id_hash id_hash_of(const void *id, size_t bytes)
{
    return (struct id_hash){XXH3_64bits(id, bytes), compute_fnv1a(id, bytes)};
}
