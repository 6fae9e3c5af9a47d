#include "tools/targets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/error.h"
#include "store/inventory.h"
#include "store/root.h"
#include "tools/report.h"

static int add_path(struct targets *targets, char *path)
{
    if (targets->count == targets->capacity) {
        size_t larger = targets->capacity == 0 ? 64 : targets->capacity * 2;
        char **grown = reallocarray(targets->paths, larger, sizeof(*grown));
        if (grown == NULL)
            return -1;
        targets->paths = grown;
        targets->capacity = larger;
    }
    targets->paths[targets->count++] = path;
    return 0;
}

void targets_free(struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        free(targets->paths[i]);
    free(targets->paths);
    *targets = (struct targets){0};
}

static char *join_path(const char *directory, const char *name)
{
    char *path;
    size_t length = strlen(directory);
    const char *slash = length > 0 && directory[length - 1] == '/' ? "" : "/";
    return asprintf(&path, "%s%s%s", directory, slash, name) < 0 ? NULL : path;
}

/* What was found of the files of a prefix. */
struct found {
    bool there[PREFIX_BUCKETS_MAX];
    long top;      /* the highest number, or -1 */
    unsigned made; /* how many there must be; 0: not known */
};

static void report_missing(struct targets *targets, const char *directory, long number)
{
    report_line("%s/append.%ld.raw: missing", directory, number);
    targets->missing++;
}

/* Reports which numbers are missing. If no count is known the lowest may be: then the creation of
 * the prefix was cut short. */
static void check_numbers(struct targets *targets, const char *directory, const struct found *found)
{
    long lowest = 0, number;
    while (found->made == 0 && !found->there[lowest])
        lowest++;
    if (lowest > 0)
        report_line(
            "%s: append.0.raw to append.%ld.raw are missing: lost, or never made because the "
            "creation of the prefix was cut short",
            directory, lowest - 1);
    for (number = lowest; number <= found->top; number++)
        if (!found->there[number])
            report_missing(targets, directory, number);
    for (; number < found->made; number++)
        report_missing(targets, directory, number);
    if (found->made != 0 && found->top >= found->made) {
        report_line("%s: append.%ld.raw is there, but only %u files were made", directory,
                    found->top, found->made);
        targets->missing++;
    }
}

/* The names in a directory; -1 if it cannot be read. */
static int read_directory(struct targets *targets, const char *directory, struct dirent ***names,
                          int *count)
{
    *count = scandir(directory, names, NULL, alphasort);
    if (*count >= 0)
        return 0;
    report_line("%s: %s", directory, strerror(errno));
    targets->unreadable = true;
    return -1;
}

/* How many files the prefix was made with; 0: not known, as in the server then. */
static void read_count(const char *directory, unsigned *made)
{
    struct inventory inventory;
    struct manifest manifest;
    unsigned bucket;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *made = 0;
    if (fd < 0)
        return;
    if (inventory_take(fd, &inventory) == 0) {
        int error = inventory_check(&inventory, &manifest, &bucket);
        if (error == 0 || error == STORE_FILES_MISSING || error == STORE_FILES_ADDITIONAL)
            *made = manifest.buckets;
    }
    (void)close(fd);
}

static int add_prefix(struct targets *targets, const char *directory)
{
    struct dirent **names;
    int count;
    if (read_directory(targets, directory, &names, &count) != 0)
        return 0;
    static struct found found;
    memset(&found, 0, sizeof(found));
    found.top = -1;
    for (int i = 0; i < count; i++) {
        long number = bucket_file_number(names[i]->d_name);
        if (number >= 0)
            found.there[number] = true;
        if (number > found.top)
            found.top = number;
        free(names[i]);
    }
    free(names);
    int error = 0;
    for (long number = 0; number <= found.top && error == 0; number++) {
        if (!found.there[number])
            continue;
        char name[BUCKET_FILE_NAME_BYTES];
        bucket_file_name((unsigned)number, name);
        char *path = join_path(directory, name);
        if (path == NULL || add_path(targets, path) != 0) {
            free(path);
            error = -1;
        }
    }
    if (found.top >= 0) {
        read_count(directory, &found.made);
        check_numbers(targets, directory, &found);
    }
    return error;
}

/* A directory below the root: 1 yes, 0 no. A link to one is reported: the server refuses it. */
static bool is_prefix(struct targets *targets, const char *path, const char *name)
{
    struct stat status;
    if (!prefix_name_valid(name, strlen(name)))
        return false;
    if (lstat(path, &status) != 0) {
        report_line("%s: %s", path, strerror(errno));
        targets->unreadable = true;
        return false;
    }
    if (S_ISLNK(status.st_mode) && stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        report_line("%s: not followed: a symbolic link", path);
        targets->unreadable = true;
        return false;
    }
    return S_ISDIR(status.st_mode);
}

static int add_root(struct targets *targets, const char *root)
{
    struct dirent **names;
    int count, error = 0;
    if (read_directory(targets, root, &names, &count) != 0)
        return 0;
    for (int i = 0; i < count; i++) {
        char *path = error == 0 ? join_path(root, names[i]->d_name) : NULL;
        if (error == 0 && path == NULL)
            error = -1;
        if (path != NULL && is_prefix(targets, path, names[i]->d_name))
            error = add_prefix(targets, path);
        free(path);
        free(names[i]);
    }
    free(names);
    return error;
}

/* A root has a lock file as soon as a server has used it, even if nothing was appended. */
static bool has_lock_file(const char *directory)
{
    struct stat status;
    char *lock = join_path(directory, ROOT_LOCK_NAME);
    bool has = lock != NULL && lstat(lock, &status) == 0;
    free(lock);
    return has;
}

int targets_find(const char *path, struct targets *targets)
{
    struct stat status;
    *targets = (struct targets){0};
    if (stat(path, &status) != 0) {
        report_line("%s: %s", path, strerror(errno));
        return -1;
    }
    int error;
    if (S_ISDIR(status.st_mode)) {
        error = add_prefix(targets, path);
        if (error == 0)
            error = add_root(targets, path);
    } else {
        char *copy = strdup(path);
        error = copy == NULL ? -1 : add_path(targets, copy);
        if (error != 0)
            free(copy);
    }
    if (error != 0) {
        report_line("%s: %s", path, strerror(ENOMEM));
        return -1;
    }
    if (targets->count == 0 && !targets->unreadable && !has_lock_file(path)) {
        report_line("%s: no append.<N>.raw in it or in its directories", path);
        return -1;
    }
    return 0;
}

int targets_open(const char *path, bool follow)
{
    struct stat status;
    /* O_NONBLOCK: opening a named pipe must not block. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW));
    if (fd < 0) {
        report_line("%s: %s", path, errno == ELOOP ? "a symbolic link" : strerror(errno));
        return -1;
    }
    const char *why = NULL;
    if (fstat(fd, &status) != 0)
        why = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        why = S_ISDIR(status.st_mode) ? "a directory" : "not a regular file";
    if (why != NULL) {
        report_line("%s: %s", path, why);
        (void)close(fd);
        return -1;
    }
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* only a hint */
    return fd;
}

static bool is_locked(const char *directory)
{
    char *lock = join_path(directory, ROOT_LOCK_NAME);
    if (lock == NULL)
        return false;
    int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    free(lock);
    if (fd < 0)
        return false;
    /* Shared, and held for a moment only, so that it hardly keeps a server from starting. */
    bool locked = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    (void)close(fd);
    return locked;
}

bool targets_in_use(const char *path)
{
    char absolute[PATH_MAX];
    if (realpath(path, absolute) == NULL)
        return false;
    /* The root itself, a prefix in it, or a file in that. */
    for (int level = 0; level < 3; level++) {
        if (is_locked(absolute))
            return true;
        char *slash = strrchr(absolute, '/');
        if (slash == NULL || slash == absolute)
            return false;
        *slash = '\0';
    }
    return false;
}
