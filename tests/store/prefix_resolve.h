/*
 * prefix_resolve: finds a prefix and makes all its files at once.
 */
#ifndef ROCHEFORT_TESTS_STORE_PREFIX_RESOLVE_H
#define ROCHEFORT_TESTS_STORE_PREFIX_RESOLVE_H

#include "store/prefix.h"

static inline int prefix_resolve(const struct root *root, const char *name, unsigned buckets_if_new,
                                 bool create, unsigned *buckets)
{
    unsigned missing = 0;
    int error = prefix_find(root, name, buckets_if_new, create, buckets, &missing);
    if (error != 0 || missing == 0)
        return error;
    return prefix_make_files(root, name, *buckets, &missing, missing);
}

#endif
