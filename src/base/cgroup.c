#include "base/cgroup.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A hierarchy of control groups that may limit memory: its file of the limit, its file system, and
 * the name that /proc/self/cgroup and mountinfo have for it ("": version 2, which needs none). */
static const struct hierarchy {
    const char *limit_file, *file_system, *controller;
} hierarchies[] = {
    {"memory.limit_in_bytes", "cgroup", "memory"},
    {"memory.max", "cgroup2", ""},
};

/* Opens a file under `root`; NULL if there is none. */
static FILE *open_under(const char *root, const char *path)
{
    char *name;
    if (asprintf(&name, "%s%s", root, path) < 0)
        return NULL;
    FILE *file = fopen(name, "re");
    free(name);
    return file;
}

/* One of a list that is separated by commas. */
static bool list_has(const char *list, const char *name)
{
    size_t bytes = strlen(name);
    for (const char *at = list;; at++) {
        size_t length = strcspn(at, ",");
        if (length == bytes && memcmp(at, name, bytes) == 0)
            return true;
        at += length;
        if (*at == '\0')
            return false;
    }
}

/* The path of this process's group in the hierarchy, to be freed; NULL: it has none. A line is
 * "<number>:<controllers>:<path>". */
static char *find_group(const char *root, const struct hierarchy *hierarchy)
{
    FILE *file = open_under(root, "/proc/self/cgroup");
    char *line = NULL, *group = NULL;
    size_t size = 0;
    while (file != NULL && group == NULL && getline(&line, &size, file) > 0) {
        char *rest = line;
        const char *number = strsep(&rest, ":"), *controllers = strsep(&rest, ":");
        bool second = hierarchy->controller[0] == '\0';
        if (rest == NULL || rest[0] != '/')
            continue;
        rest[strcspn(rest, "\n")] = '\0';
        if (second ? strcmp(number, "0") == 0 && controllers[0] == '\0'
                   : list_has(controllers, hierarchy->controller))
            group = strdup(rest);
    }
    free(line);
    if (file != NULL)
        (void)fclose(file);
    return group;
}

/* mountinfo writes white space and backslashes as three octal digits. In place. */
static void unescape(char *text)
{
    char *out = text;
    for (; *text != '\0'; text++) {
        unsigned value;
        int bytes = 0;
        if (text[0] == '\\' && sscanf(text + 1, "%3o%n", &value, &bytes) == 1 && bytes == 3 &&
            value != 0) {
            *out++ = (char)value;
            text += 3;
        } else {
            *out++ = *text;
        }
    }
    *out = '\0';
}

struct mount {
    char *root, *point, *file_system, *options;
};

/* "<id> <parent> <device> <root> <point> <options> <tag>... - <file system> <source> <options>".
 * False: not of that form. Points into the line. */
static bool parse_mount(char *line, struct mount *mount)
{
    line[strcspn(line, "\n")] = '\0';
    char *kind = strstr(line, " - ");
    if (kind == NULL)
        return false;
    *kind = '\0';
    kind += strlen(" - ");
    for (int i = 0; i < 3; i++)
        (void)strsep(&line, " ");
    mount->root = strsep(&line, " ");
    mount->point = strsep(&line, " ");
    mount->file_system = strsep(&kind, " ");
    (void)strsep(&kind, " ");
    mount->options = kind;
    if (mount->point == NULL || mount->options == NULL)
        return false;
    unescape(mount->root);
    unescape(mount->point);
    return true;
}

/* What of `group` is below the root of the mount: "" or "/...". NULL: it is not below it. */
static const char *below_mount(const char *group, const struct mount *mount)
{
    size_t bytes = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
    if (strncmp(group, mount->root, bytes) != 0 || (group[bytes] != '/' && group[bytes] != '\0'))
        return NULL;
    return strcmp(group + bytes, "/") == 0 ? "" : group + bytes;
}

static int64_t read_limit(const char *root, const char *directory, const char *limit_file)
{
    char *path, text[32];
    if (asprintf(&path, "%s/%s", directory, limit_file) < 0)
        return CGROUP_NO_LIMIT;
    FILE *file = open_under(root, path);
    free(path);
    if (file == NULL)
        return CGROUP_NO_LIMIT;
    size_t bytes = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[bytes] = '\0';
    /* "max", or a number near 2^63, is no limit; neither is anything else. */
    char *end;
    unsigned long long limit = strtoull(text, &end, 10);
    bool good = text[0] >= '0' && text[0] <= '9' && (*end == '\n' || *end == '\0');
    return good && limit < INT64_MAX ? (int64_t)limit : CGROUP_NO_LIMIT;
}

/* The least of the group's limit and of those of all above it, up to the mount point. */
static int64_t least_limit(const char *root, const struct mount *mount, const char *below,
                           const char *limit_file)
{
    int64_t least = CGROUP_NO_LIMIT;
    char *directory;
    if (asprintf(&directory, "%s%s", mount->point, below) < 0)
        return least;
    for (char *end = directory + strlen(directory);; *end = '\0') {
        int64_t limit = read_limit(root, directory, limit_file);
        least = limit < least ? limit : least;
        if (end <= directory + strlen(mount->point))
            break;
        end = strrchr(directory, '/');
    }
    free(directory);
    return least;
}

/* All mounts are looked at. Where a container has a part of the hierarchy mounted and cannot know
 * which, its own group is the mount point. */
static int64_t limit_in(const char *root, const struct hierarchy *hierarchy)
{
    int64_t least = CGROUP_NO_LIMIT;
    char *group = find_group(root, hierarchy), *line = NULL;
    size_t size = 0;
    FILE *file = group == NULL ? NULL : open_under(root, "/proc/self/mountinfo");
    while (file != NULL && getline(&line, &size, file) > 0) {
        struct mount mount;
        if (!parse_mount(line, &mount) || strcmp(mount.file_system, hierarchy->file_system) != 0 ||
            (hierarchy->controller[0] != '\0' && !list_has(mount.options, hierarchy->controller)))
            continue;
        const char *below = below_mount(group, &mount);
        int64_t limit =
            least_limit(root, &mount, below == NULL ? "" : below, hierarchy->limit_file);
        least = limit < least ? limit : least;
    }
    free(line);
    free(group);
    if (file != NULL)
        (void)fclose(file);
    return least;
}

int64_t cgroup_memory_limit(const char *root)
{
    int64_t least = CGROUP_NO_LIMIT;
    for (size_t i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++) {
        int64_t limit = limit_in(root, &hierarchies[i]);
        least = limit < least ? limit : least;
    }
    return least;
}
