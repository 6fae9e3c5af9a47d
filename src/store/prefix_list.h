/*
 * prefix_list: the names of the prefixes of a root, a page at a time.
 *
 * A prefix is a directory with a MANIFEST. A page has the first names after a given one, sorted by
 * their bytes. For each page the whole root is listed, in steps, and of the names only those of the
 * page are kept; so memory is bounded by the page, and a name that is there all the time is in
 * exactly one page, whatever else is made or deleted meanwhile.
 *
 * One thread at a time. Errors: 0 or -errno.
 */
#ifndef ROCHEFORT_STORE_PREFIX_LIST_H
#define ROCHEFORT_STORE_PREFIX_LIST_H

#include <dirent.h>
#include <stdbool.h>

#include "store/names.h"
#include "store/root.h"

struct prefix_list {
    char after[PREFIX_NAME_BYTES_MAX + 1];
    unsigned most;
    DIR *directory; /* while the root is listed */

    /* result */
    unsigned count;
    bool more; /* others come after the last of them */
    char *names[];
};

/* For at most `most` names, 1 or more, after `after`; "" for the first. NULL when out of memory.
 * Free with prefix_list_free, in any state. */
struct prefix_list *prefix_list_new(const char *after, unsigned most);
void prefix_list_free(struct prefix_list *list);

/* Looks at the next `entries` of the root. `*done`: that was the last, or there is an error. */
int prefix_list_step(struct prefix_list *list, const struct root *root, unsigned entries,
                     bool *done);

#endif
