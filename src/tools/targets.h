/*
 * targets: which bucket files a command is about.
 *
 * Takes a file, the directory of a prefix or a root. In directories only
 * append.<N>.raw count, as for the server, and symbolic links are not followed;
 * a path that the user names may be one. Owns the list. One thread.
 * What cannot be read is reported on standard error, with the path.
 */
#ifndef ROCHEFORT_TOOLS_TARGETS_H
#define ROCHEFORT_TOOLS_TARGETS_H

#include <stdbool.h>
#include <stddef.h>

/* A directory of bucket files. */
struct targets_prefix {
    char *path;
    size_t first, count; /* its files among the paths */
    size_t missing;    /* files that were made and are not there, or are there and were not made */
    bool bad_manifest; /* it has one that says nothing */
};

struct targets {
    char **paths; /* sorted by prefix, then by number */
    size_t count, capacity;
    struct targets_prefix *prefixes; /* none if the path is that of a file */
    size_t prefix_count;
    bool unreadable; /* something was not listed that should have been */
};

/* 0, or -1 if there is nothing to work on. targets_free in both cases. */
int targets_find(const char *path, struct targets *targets);
void targets_free(struct targets *targets);

/* Opens a regular file for reading; -1 if it cannot, and reports why. `follow`: symbolic links. */
int targets_open(const char *path, bool follow);

/* Whether a directory is that of a prefix, and not a root. */
bool targets_is_prefix(const char *directory);

/* "directory/name", to be freed; NULL when out of memory. */
char *targets_join(const char *directory, const char *name);

#endif
