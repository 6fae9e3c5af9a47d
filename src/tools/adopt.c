/*
 * adopt: gives directories of bucket files a MANIFEST, so that the server serves them.
 *
 * For the files of the Go original, and for those whose MANIFEST or bucket
 * files were lost. Works on one prefix's directory, or on all in a root, and
 * holds the lock of the root meanwhile, if there is one. In a root whatever is
 * not the directory of a prefix is left alone.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/names.h"
#include "tools/adoption.h"
#include "tools/in_use.h"
#include "tools/report.h"
#include "tools/targets.h"
#include "tools/tools.h"

/* What the worst of several results is: unreadable, then damaged, then whole. */
static int worse(int a, int b)
{
    return a > b ? a : b;
}

static bool is_directory(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* The server takes one path component for a storagePrefix: what is below cannot be reached. */
static void report_nested(const char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char *below = targets_join(path, names[i]->d_name);
        if (below != NULL && prefix_name_valid(names[i]->d_name, strlen(names[i]->d_name)) &&
            is_directory(below) && targets_is_prefix(below))
            report_line("%s: not adopted: inside another prefix; move it into the root", below);
        free(below);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
}

static int adopt_prefix(const struct adoption *adoption, const char *path)
{
    report_nested(path);
    return adoption_run(adoption, path);
}

static int adopt_root(const struct adoption *adoption, const char *root)
{
    struct dirent **names;
    int count = scandir(root, &names, NULL, alphasort), result = TOOLS_WHOLE;
    unsigned found = 0;
    if (count < 0) {
        report_line("%s: %s", root, strerror(errno));
        return TOOLS_USAGE;
    }
    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        char *path = targets_join(root, name);
        if (path == NULL) {
            report_line("%s: %s", root, strerror(ENOMEM));
            result = TOOLS_USAGE;
        } else if (prefix_name_valid(name, strlen(name)) && is_directory(path) &&
                   targets_is_prefix(path)) {
            found++;
            result = worse(result, adopt_prefix(adoption, path));
        }
        free(path);
        free(names[i]);
    }
    free(names);
    if (found > 0)
        return result;
    report_line("%s: no directory with append.<N>.raw is in it", root);
    return TOOLS_USAGE;
}

static int adopt_path(const struct adoption *adoption, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        int error = stat(path, &status) != 0 ? errno : ENOTDIR;
        report_line("%s: %s", path, strerror(error));
        return TOOLS_USAGE;
    }
    struct in_use_lock lock;
    int error = in_use_lock(path, &lock);
    int result = TOOLS_USAGE;
    if (error == -EWOULDBLOCK)
        report_line("%s: a rochefort is using it; stop that first", path);
    else if (error != 0)
        report_line("%s: cannot tell whether a rochefort is using it: %s", path, strerror(-error));
    else if (targets_is_prefix(path))
        result = adopt_prefix(adoption, path);
    else
        result = adopt_root(adoption, path);
    in_use_unlock(&lock);
    return result;
}

/* The value of a flag that was given as "-name value" or "-name=value". NULL: it is not this flag,
 * or has none. */
static const char *flag_value(const char *given, const char *name, int count,
                              char *const arguments[], int *at)
{
    size_t bytes = strlen(name);
    given += given[1] == '-' ? 2 : 1;
    if (strncmp(given, name, bytes) != 0)
        return NULL;
    if (given[bytes] == '=')
        return given + bytes + 1;
    return given[bytes] == '\0' && *at + 1 < count ? arguments[++*at] : NULL;
}

/* Reads the flags. The index of the first directory, or -1. */
static int parse_flags(int count, char *const arguments[], struct adoption *adoption)
{
    int at = 0;
    for (; at < count && arguments[at][0] == '-'; at++) {
        const char *flag = arguments[at], *value;
        if (strcmp(flag, "--") == 0)
            return at + 1;
        if (strcmp(flag, "-missing") == 0 || strcmp(flag, "--missing") == 0) {
            adoption->make_missing = true;
        } else if (tools_is_json(flag)) {
            adoption->json = true;
        } else if ((value = flag_value(flag, "hash", count, arguments, &at)) != NULL) {
            adoption->has_hash = manifest_parse_hash(value, &adoption->hash);
            if (!adoption->has_hash) {
                report_line("-hash %s: must be fnv1a (files of the Go original) or xxh3", value);
                return -1;
            }
        } else if ((value = flag_value(flag, "slots", count, arguments, &at)) != NULL) {
            if (!manifest_parse_slots(value, &adoption->slots)) {
                report_line("-slots %s: must be A-B/N, with A <= B < N", value);
                return -1;
            }
        } else {
            report_line("%s: unknown flag, or its value is missing; %s", flag, ADOPT_USAGE);
            return -1;
        }
    }
    return at;
}

int adopt_run(int count, char *const arguments[], bool json)
{
    struct adoption adoption = {.json = json};
    int first = parse_flags(count, arguments, &adoption), result = TOOLS_WHOLE;
    if (first < 0)
        return TOOLS_USAGE;
    if (first == count) {
        report_line("%s", ADOPT_USAGE);
        return TOOLS_USAGE;
    }
    for (int i = first; i < count; i++)
        result = worse(result, adopt_path(&adoption, arguments[i]));
    return tools_finish_output(result);
}
