#include "store/prefix_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/listing.h"
#include "store/manifest.h"

struct prefix_list *prefix_list_new(const char *after, unsigned most)
{
    struct prefix_list *list = calloc(1, sizeof(*list) + most * sizeof(list->names[0]));
    if (list == NULL)
        return NULL;
    list->most = most;
    memcpy(list->after, after, strlen(after) + 1);
    return list;
}

void prefix_list_free(struct prefix_list *list)
{
    if (list == NULL)
        return;
    if (list->directory != NULL)
        (void)closedir(list->directory);
    for (unsigned i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list);
}

/* 1: it has one; 0: it has none, or it is not ours to look into. Or -errno. */
static int has_manifest(int root_fd, const char *name)
{
    char path[MANIFEST_PATH_BYTES];
    struct stat status;
    manifest_path(name, path);
    if (fstatat(root_fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0)
        return S_ISREG(status.st_mode);
    return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -errno;
}

/* How many of the names are before this one. */
static unsigned find_place(const struct prefix_list *list, const char *name)
{
    unsigned low = 0, high = list->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (strcmp(list->names[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int add_name(struct prefix_list *list, const char *name)
{
    unsigned place = find_place(list, name);
    bool is_full = list->count == list->most;
    if (strcmp(name, list->after) <= 0)
        return 0;
    if (is_full && place == list->count && list->more)
        return 0; /* not of this page, and what that means is known */
    int found = has_manifest(dirfd(list->directory), name);
    if (found <= 0)
        return found;
    list->more = list->more || is_full;
    if (place == list->most)
        return 0;
    char *copy = strdup(name);
    if (copy == NULL)
        return -ENOMEM;
    if (is_full)
        free(list->names[--list->count]);
    memmove(&list->names[place + 1], &list->names[place],
            (list->count - place) * sizeof(list->names[0]));
    list->names[place] = copy;
    list->count++;
    return 0;
}

int prefix_list_step(struct prefix_list *list, const struct root *root, unsigned entries,
                     bool *done)
{
    const struct dirent *entry = NULL;
    int error = list->directory == NULL ? root_open_list(root, &list->directory) : 0;
    *done = false;
    for (; error == 0 && !*done && entries > 0; entries--) {
        errno = 0;
        entry = readdir(list->directory);
        error = entry == NULL ? -errno : 0;
        *done = entry == NULL;
        if (entry != NULL && listing_may_be_prefix(dirfd(list->directory), entry))
            error = add_name(list, entry->d_name);
    }
    *done = *done || error != 0;
    if (*done && list->directory != NULL) {
        (void)closedir(list->directory);
        list->directory = NULL;
    }
    return error;
}
