#include "work/open_prefix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/bucket.h"
#include "store/root.h"

void bucket_slot_path(const struct bucket_slot *slot, const struct root *root,
                      char out[BUCKET_SLOT_PATH_BYTES])
{
    char file[BUCKET_FILE_NAME_BYTES];
    bucket_file_name((unsigned)(slot - slot->prefix->slots), file);
    (void)snprintf(out, BUCKET_SLOT_PATH_BYTES, "%s/%s/%s", root_path(root), slot->prefix->name,
                   file);
}

struct open_prefix *open_prefix_new(struct router *router, const char *name, size_t name_bytes,
                                    uint64_t hash)
{
    struct open_prefix *prefix = calloc(1, sizeof(*prefix));
    if (prefix == NULL)
        return NULL;
    memcpy(prefix->name, name, name_bytes + 1);
    prefix->name_bytes = name_bytes;
    prefix->hash = hash;
    prefix->router = router;
    prefix->state = PREFIX_SHUT;
    return prefix;
}

struct open_prefix *open_prefix_new_generation(struct open_prefix *older)
{
    struct open_prefix *prefix =
        open_prefix_new(older->router, older->name, older->name_bytes, older->hash);
    if (prefix == NULL)
        return NULL;
    prefix->older = older;
    older->newer = prefix;
    return prefix;
}

void open_prefix_free(struct open_prefix *prefix)
{
    if (prefix->older != NULL)
        prefix->older->newer = prefix->newer;
    if (prefix->newer != NULL)
        prefix->newer->older = prefix->older;
    for (unsigned i = 0; prefix->slots != NULL && i < prefix->manifest.buckets; i++)
        (void)bucket_close(prefix->slots[i].bucket); /* the worker has closed its descriptor */
    open_prefix_reset(prefix);
    free(prefix);
}

int open_prefix_make_slots(struct open_prefix *prefix)
{
    size_t bytes = prefix->manifest.buckets * sizeof(struct bucket_slot);
    prefix->slots = aligned_alloc(alignof(struct bucket_slot), bytes);
    prefix->synced = calloc(prefix->manifest.buckets, sizeof(prefix->synced[0]));
    if (prefix->slots == NULL || prefix->synced == NULL) {
        open_prefix_reset(prefix);
        return -ENOMEM;
    }
    memset(prefix->slots, 0, bytes);
    prefix->names =
        (struct prefix_names){.prefix = prefix->name, .buckets = prefix->manifest.buckets};
    return 0;
}

void open_prefix_reset(struct open_prefix *prefix)
{
    free(prefix->slots);
    free(prefix->synced);
    free(prefix->scan_waits);
    prefix->slots = NULL;
    prefix->synced = NULL;
    prefix->scan_waits = NULL;
    prefix->sync_refused = false;
    prefix->close_error = 0;
    open_prefix_set_data(prefix, NULL, NULL);
}

void open_prefix_set_data(struct open_prefix *prefix, void *data, void (*free_data)(void *data))
{
    if (prefix->free_data != NULL)
        prefix->free_data(prefix->data);
    prefix->data = data;
    prefix->free_data = free_data;
}
