/*
 * prefix_resolve: finds a prefix and makes all its files at once; all ids are hashed with XXH3.
 */
#ifndef ROCHEFORT_TESTS_STORE_PREFIX_RESOLVE_H
#define ROCHEFORT_TESTS_STORE_PREFIX_RESOLVE_H

#include "store/prefix.h"

/* `*buckets` is untouched if it fails. */
static inline int prefix_resolve(const struct root *root, const char *name, unsigned buckets_if_new,
                                 bool create, unsigned *buckets)
{
    const struct manifest if_new = {.buckets = buckets_if_new, .hash = MANIFEST_XXH3};
    struct manifest manifest;
    unsigned missing, file;
    int error = prefix_find(root, name, &if_new, create, &manifest, &missing, &file);
    if (error == 0)
        error = prefix_make_files(root, name, &manifest, &missing, missing);
    prefix_abandon(root, &missing);
    if (error == 0)
        *buckets = manifest.buckets;
    return error;
}

#endif
