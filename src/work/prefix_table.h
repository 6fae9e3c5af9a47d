/*
 * prefix_table: the prefixes in use by name, the newest generation of each.
 *
 * Owns them, and the older generations that hang on them. Of those that are open it
 * knows in which order they were used, so that it can say which one to close when
 * there are too many: the one that was not used for the longest time.
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_WORK_PREFIX_TABLE_H
#define ROCHEFORT_WORK_PREFIX_TABLE_H

#include "work/open_prefix.h"

/* All open prefixes together have at most so many buckets, 64 MiB of slots, unless requests to more
 * are in flight. */
#define PREFIX_TABLE_BUCKETS_MAX (1 << 20)

/* Zeroed but for `max_open` it is empty. */
struct prefix_table {
    unsigned max_open;
    unsigned open;
    uint64_t open_buckets;
    struct open_prefix *by_name;         /* uthash */
    struct open_prefix *newest, *oldest; /* of those that are open: used last, and longest ago */
};

/* The newest generation of that name; a new one if there is none, or none that new requests may
 * wait for. NULL when out of memory. */
struct open_prefix *prefix_table_get(struct prefix_table *table, struct router *router,
                                     const char *name);

/* A new generation, which takes the place of the one before it; NULL when out of memory. */
struct open_prefix *prefix_table_add_generation(struct prefix_table *table,
                                                struct open_prefix *older);

/* It is open from now on, until it is shut. */
void prefix_table_open(struct prefix_table *table, struct open_prefix *prefix);
void prefix_table_shut(struct prefix_table *table, struct open_prefix *prefix);

/* An open prefix is used. */
void prefix_table_use(struct prefix_table *table, struct open_prefix *prefix);

/* If too many are open: the one that was not used for the longest time of those that may be closed,
 * because nothing is in flight and no sync is refused. NULL: none. */
struct open_prefix *prefix_table_find_idle(struct prefix_table *table);

/* The name of a prefix with a slot that refuses syncs; NULL if there is none. */
const char *prefix_table_sync_refused(const struct prefix_table *table);

/* Frees a prefix that is in the table, is not open and has no older generation. */
void prefix_table_remove(struct prefix_table *table, struct open_prefix *prefix);

/* Frees all, older generations included. No worker may use them any more. */
void prefix_table_clear(struct prefix_table *table);

#endif
