#include "tools/targets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    for (size_t i = 0; i < targets->prefix_count; i++)
        free(targets->prefixes[i].path);
    free(targets->prefixes);
    *targets = (struct targets){0};
}

char *targets_join(const char *directory, const char *name)
{
    char *path;
    size_t length = strlen(directory);
    const char *slash = length > 0 && directory[length - 1] == '/' ? "" : "/";
    return asprintf(&path, "%s%s%s", directory, slash, name) < 0 ? NULL : path;
}

/* The directory of a prefix has a MANIFEST or a bucket file. A root has neither, but it may have a
 * directory with the name of a bucket file: a prefix can be called so. */
bool targets_is_prefix(const char *directory)
{
    bool found = false;
    DIR *entries = opendir(directory);
    struct dirent *entry;
    while (!found && entries != NULL && (entry = readdir(entries)) != NULL) {
        struct stat status;
        if (bucket_file_number(entry->d_name) >= 0 || strcmp(entry->d_name, MANIFEST_NAME) == 0)
            found = fstatat(dirfd(entries), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                    !S_ISDIR(status.st_mode);
    }
    if (entries != NULL)
        (void)closedir(entries);
    return found;
}

static void report_missing(struct targets_prefix *prefix, unsigned number)
{
    report_line("%s/append.%u.raw: missing", prefix->path, number);
    prefix->missing++;
}

/* Reports which numbers are missing. Without a MANIFEST the lowest may be: then the creation of the
 * prefix was cut short. */
static void check_numbers(struct targets_prefix *prefix, const struct inventory *inventory,
                          unsigned made)
{
    unsigned number = made != 0 ? 0 : inventory->lowest;
    if (number > 0)
        report_line(
            "%s: append.0.raw to append.%u.raw are missing: lost, or never made because the "
            "creation of the prefix was cut short",
            prefix->path, number - 1);
    for (; number <= inventory->highest || number < made; number++)
        if (!inventory_has_file(inventory, number))
            report_missing(prefix, number);
    if (made != 0 && inventory->highest >= made) {
        report_line("%s/append.%u.raw is there, but only %u files were made", prefix->path,
                    inventory->highest, made);
        prefix->missing++;
    }
}

/* What MANIFEST, or the attribute of an earlier server, says of the files. */
static void check_manifest(struct targets *targets, struct targets_prefix *prefix,
                           const struct inventory *inventory)
{
    struct manifest manifest;
    unsigned file, made = 0;
    int error = inventory_check(inventory, &manifest, &file);
    switch (error) {
    case 0:
    case STORE_FILES_MISSING:
    case STORE_FILES_ADDITIONAL:
        made = manifest.buckets;
        break;
    case STORE_NO_PREFIX: /* MANIFEST alone */
        made = inventory->manifest_error == 0 ? manifest.buckets : 0;
        break;
    case STORE_NO_MANIFEST:
        report_line("%s: no MANIFEST, so the server refuses it; see rochefort adopt", prefix->path);
        break;
    case STORE_MANIFEST_TORN:
    case STORE_MANIFEST_INVALID:
        report_line("%s/%s: %s; see rochefort adopt", prefix->path, MANIFEST_NAME,
                    store_error_text(error));
        prefix->bad_manifest = true;
        break;
    case STORE_INCOMPLETE:
        break;
    default:
        if (file == PREFIX_MANIFEST) { /* another error is found again when the file is read */
            report_line("%s/%s: %s", prefix->path, MANIFEST_NAME, store_error_text(error));
            targets->unreadable = true;
        }
    }
    if (inventory->count > 0 || made > 0)
        check_numbers(prefix, inventory, made);
}

static int add_files(struct targets *targets, const char *directory,
                     const struct inventory *inventory)
{
    for (unsigned number = 0; inventory->count > 0 && number <= inventory->highest; number++) {
        if (!inventory_has_file(inventory, number))
            continue;
        char name[BUCKET_FILE_NAME_BYTES];
        bucket_file_name(number, name);
        char *path = targets_join(directory, name);
        if (path == NULL || add_path(targets, path) != 0) {
            free(path);
            return -1;
        }
    }
    return 0;
}

static int add_prefix(struct targets *targets, const char *directory)
{
    static struct inventory inventory;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 ? -errno : inventory_take(fd, &inventory);
    if (fd >= 0)
        (void)close(fd);
    if (error != 0) {
        report_line("%s: %s", directory, store_error_text(error));
        targets->unreadable = true;
        return 0;
    }
    if (inventory.count == 0 && inventory.manifest_error == STORE_NO_MANIFEST)
        return 0;
    struct targets_prefix *grown =
        reallocarray(targets->prefixes, targets->prefix_count + 1, sizeof(*grown));
    if (grown == NULL)
        return -1;
    targets->prefixes = grown;
    struct targets_prefix *prefix = &grown[targets->prefix_count];
    *prefix = (struct targets_prefix){.path = strdup(directory), .first = targets->count};
    if (prefix->path == NULL)
        return -1;
    targets->prefix_count++;
    check_manifest(targets, prefix, &inventory);
    int result = add_files(targets, directory, &inventory);
    prefix->count = targets->count - prefix->first;
    return result;
}

/* A directory below the root. A link to one is reported: the server refuses it. What a file system
 * has in its top directory is not ours, and often may not be read. */
static bool is_below_root(struct targets *targets, const char *path, const char *name)
{
    struct stat status;
    if (!prefix_name_valid(name, strlen(name)))
        return false;
    if (lstat(path, &status) != 0) {
        report_line("%s: %s", path, strerror(errno));
        targets->unreadable = true;
        return false;
    }
    if (S_ISLNK(status.st_mode) && targets_is_prefix(path)) {
        report_line("%s: not followed: a symbolic link", path);
        targets->unreadable = true;
        return false;
    }
    return S_ISDIR(status.st_mode) && (strcmp(name, "lost+found") != 0 || targets_is_prefix(path));
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

static int add_root(struct targets *targets, const char *root)
{
    struct dirent **names;
    int count, error = 0;
    if (read_directory(targets, root, &names, &count) != 0)
        return 0;
    for (int i = 0; i < count; i++) {
        char *path = error == 0 ? targets_join(root, names[i]->d_name) : NULL;
        if (error == 0 && path == NULL)
            error = -1;
        if (path != NULL && is_below_root(targets, path, names[i]->d_name))
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
    char *lock = targets_join(directory, ROOT_LOCK_NAME);
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
        error = targets_is_prefix(path) ? add_prefix(targets, path) : 0;
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
    if (targets->count + targets->prefix_count == 0 && !targets->unreadable &&
        !has_lock_file(path)) {
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
