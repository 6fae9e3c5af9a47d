#include "work/prefix_table.h"

#include <string.h>
#include <xxhash.h>

/* So many prefixes in use are passed over at most to find an idle one. */
#define LOOKS_MAX 16

/* Frees it when out of memory. */
static struct open_prefix *add_entry(struct prefix_table *table, struct open_prefix *prefix)
{
    HASH_ADD_BYHASHVALUE(hh, table->by_name, name, prefix->name_bytes, (unsigned)prefix->hash,
                         prefix);
    if (prefix->hh.tbl != NULL)
        return prefix;
    open_prefix_free(prefix);
    return NULL;
}

struct open_prefix *prefix_table_add_generation(struct prefix_table *table,
                                                struct open_prefix *older)
{
    struct open_prefix *prefix = open_prefix_new_generation(older);
    if (prefix == NULL || add_entry(table, prefix) == NULL)
        return NULL;
    HASH_DEL(table->by_name, older);
    return prefix;
}

struct open_prefix *prefix_table_get(struct prefix_table *table, struct router *router,
                                     const char *name)
{
    struct open_prefix *prefix;
    size_t bytes = strlen(name);
    uint64_t hash = XXH3_64bits(name, bytes);
    HASH_FIND_BYHASHVALUE(hh, table->by_name, name, bytes, (unsigned)hash, prefix);
    if (prefix != NULL)
        return prefix->state == PREFIX_SEALED ? prefix_table_add_generation(table, prefix) : prefix;
    prefix = open_prefix_new(router, name, bytes, hash);
    return prefix != NULL ? add_entry(table, prefix) : NULL;
}

static void unlink_prefix(struct prefix_table *table, struct open_prefix *prefix)
{
    *(prefix->used_after != NULL ? &prefix->used_after->used_before : &table->newest) =
        prefix->used_before;
    *(prefix->used_before != NULL ? &prefix->used_before->used_after : &table->oldest) =
        prefix->used_after;
}

static void link_newest_prefix(struct prefix_table *table, struct open_prefix *prefix)
{
    prefix->used_before = table->newest;
    prefix->used_after = NULL;
    *(table->newest != NULL ? &table->newest->used_after : &table->oldest) = prefix;
    table->newest = prefix;
}

void prefix_table_open(struct prefix_table *table, struct open_prefix *prefix)
{
    table->open++;
    table->open_buckets += prefix->manifest.buckets;
    link_newest_prefix(table, prefix);
}

void prefix_table_shut(struct prefix_table *table, struct open_prefix *prefix)
{
    table->open--;
    table->open_buckets -= prefix->manifest.buckets;
    unlink_prefix(table, prefix);
}

static void move_prefix_to_front(struct prefix_table *table, struct open_prefix *prefix)
{
    unlink_prefix(table, prefix);
    link_newest_prefix(table, prefix);
}

void prefix_table_use(struct prefix_table *table, struct open_prefix *prefix)
{
    if (prefix != table->newest)
        move_prefix_to_front(table, prefix);
}

static bool refuses_syncs(const struct open_prefix *prefix)
{
    return atomic_load_explicit(&prefix->sync_refused, memory_order_relaxed);
}

const char *prefix_table_sync_refused(const struct prefix_table *table)
{
    const struct open_prefix *prefix = table->by_name;
    while (prefix != NULL && !refuses_syncs(prefix))
        prefix = prefix->hh.next;
    return prefix != NULL ? prefix->name : NULL;
}

static bool may_be_closed(const struct open_prefix *prefix)
{
    return prefix->in_flight == 0 && !refuses_syncs(prefix);
}

struct open_prefix *prefix_table_find_idle(struct prefix_table *table)
{
    if (table->open <= table->max_open && table->open_buckets <= PREFIX_TABLE_BUCKETS_MAX)
        return NULL;
    for (unsigned looks = 0; looks < LOOKS_MAX && table->oldest != table->newest; looks++) {
        if (may_be_closed(table->oldest))
            return table->oldest;
        move_prefix_to_front(table, table->oldest);
    }
    return NULL;
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
