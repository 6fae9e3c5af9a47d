/*
 * targets: which bucket files a command is about, and whether a server has them.
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

struct targets {
    char **paths; /* sorted by prefix, then by number */
    size_t count, capacity;
    bool unreadable; /* something was not listed that should have been */
    size_t missing;  /* bucket files that must have been there: between or below others */
};

/* 0, or -1 if there is nothing to work on. targets_free in both cases. */
int targets_find(const char *path, struct targets *targets);
void targets_free(struct targets *targets);

/* Opens a regular file for reading; -1 if it cannot, and reports why. `follow`: symbolic links. */
int targets_open(const char *path, bool follow);

/* Whether a rochefort uses the root that the file or directory at `path` belongs to. */
bool targets_in_use(const char *path);

#endif
