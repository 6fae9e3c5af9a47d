/*
 * temporary: a fresh directory for one test, removed with all that is in it.
 *
 * Give both functions to cmocka_unit_test_setup_teardown; the test finds the
 * path in *state.
 */
#ifndef ROCHEFORT_TESTS_TEMPORARY_H
#define ROCHEFORT_TESTS_TEMPORARY_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define TEMPORARY_PATH_BYTES 4096

static inline int temporary_make(void **state)
{
    const char *parent = getenv("TMPDIR");
    char *path = malloc(TEMPORARY_PATH_BYTES);
    if (path == NULL)
        return -1;
    (void)snprintf(path, TEMPORARY_PATH_BYTES, "%s/rochefort-unit.XXXXXX",
                   parent != NULL ? parent : "/tmp");
    *state = path;
    return mkdtemp(path) == NULL ? -1 : 0;
}

static inline int temporary_remove_one(const char *path, const struct stat *status, int kind,
                                       struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline int temporary_empty(const char *path)
{
    return nftw(path, temporary_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int temporary_remove(void **state)
{
    int error = temporary_empty(*state);
    free(*state);
    return error;
}

/* Writes "<directory>/<name>" to a buffer that the next call overwrites. */
static inline const char *temporary_path(const char *directory, const char *name)
{
    static char path[TEMPORARY_PATH_BYTES];
    if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
        abort();
    return path;
}

#endif
