#include "work/prefix_table.h"

#include <string.h>
#include <xxhash.h>

struct open_prefix *prefix_table_find(const struct prefix_table *table, const char *name)
{
    struct open_prefix *prefix;
    size_t bytes = strlen(name);
    unsigned hash = (unsigned)XXH3_64bits(name, bytes);
    HASH_FIND_BYHASHVALUE(hh, table->by_name, name, bytes, hash, prefix);
    return prefix;
}

/* Frees it when out of memory. */
static struct open_prefix *add(struct prefix_table *table, struct open_prefix *prefix)
{
    HASH_ADD_BYHASHVALUE(hh, table->by_name, name, prefix->name_bytes, (unsigned)prefix->hash,
                         prefix);
    if (prefix->hh.tbl != NULL)
        return prefix;
    open_prefix_free(prefix);
    return NULL;
}

struct open_prefix *prefix_table_add(struct prefix_table *table, struct router *router,
                                     const char *name)
{
    size_t bytes = strlen(name);
    struct open_prefix *prefix = open_prefix_new(router, name, bytes, XXH3_64bits(name, bytes));
    return prefix != NULL ? add(table, prefix) : NULL;
}

struct open_prefix *prefix_table_add_generation(struct prefix_table *table,
                                                struct open_prefix *older)
{
    struct open_prefix *prefix = open_prefix_new_generation(older);
    if (prefix == NULL || add(table, prefix) == NULL)
        return NULL;
    HASH_DEL(table->by_name, older);
    return prefix;
}

void prefix_table_remove(struct prefix_table *table, struct open_prefix *prefix)
{
    HASH_DEL(table->by_name, prefix);
    open_prefix_free(prefix);
}

void prefix_table_clear(struct prefix_table *table)
{
    struct open_prefix *prefix, *next;
    HASH_ITER (hh, table->by_name, prefix, next) {
        while (prefix->older != NULL)
            open_prefix_free(prefix->older);
        prefix_table_remove(table, prefix);
    }
}
