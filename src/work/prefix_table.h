/*
 * prefix_table: the prefixes in use by name, the newest generation of each.
 *
 * Owns them, and the older generations that hang on them. Loop thread.
 */
#ifndef ROCHEFORT_WORK_PREFIX_TABLE_H
#define ROCHEFORT_WORK_PREFIX_TABLE_H

#include "work/open_prefix.h"

/* Zeroed it is empty. */
struct prefix_table {
    struct open_prefix *by_name; /* uthash */
};

/* NULL if there is none. */
struct open_prefix *prefix_table_find(const struct prefix_table *table, const char *name);

/* A new one of that name, which is not in the table; NULL when out of memory. */
struct open_prefix *prefix_table_add(struct prefix_table *table, struct router *router,
                                     const char *name);

/* A new generation, which takes the place of the one before it; NULL when out of memory. */
struct open_prefix *prefix_table_add_generation(struct prefix_table *table,
                                                struct open_prefix *older);

/* Frees a prefix that is in the table and has no older generation. */
void prefix_table_remove(struct prefix_table *table, struct open_prefix *prefix);

/* Frees all, older generations included. No worker may use them any more. */
void prefix_table_clear(struct prefix_table *table);

#endif
