#include "work/file_cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "store/bucket.h"
#include "store/error.h"

#define LINE_BYTES (BUCKET_SLOT_PATH_BYTES + 256)

void file_cache_init(struct file_cache *cache, const struct root *root,
                     struct sync_schedule *schedule, unsigned limit,
                     void (*notice)(const char *line))
{
    *cache =
        (struct file_cache){.root = root, .schedule = schedule, .limit = limit, .notice = notice};
}

static void unlink_slot(struct file_cache *cache, struct bucket_slot *slot)
{
    *(slot->newer != NULL ? &slot->newer->older : &cache->newest) = slot->older;
    *(slot->older != NULL ? &slot->older->newer : &cache->oldest) = slot->newer;
    slot->newer = slot->older = NULL;
    cache->open--;
}

static void link_newest(struct file_cache *cache, struct bucket_slot *slot)
{
    slot->older = cache->newest;
    slot->newer = NULL;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = slot;
    cache->newest = slot;
    cache->open++;
}

/* The order does not matter as long as there is plenty of room. */
static void move_to_front(struct file_cache *cache, struct bucket_slot *slot)
{
    if (slot == cache->newest || cache->open <= cache->limit / 2)
        return;
    unlink_slot(cache, slot);
    link_newest(cache, slot);
}

static bool suspend_oldest(struct file_cache *cache)
{
    struct bucket_slot *slot = cache->oldest;
    if (slot == NULL)
        return false;
    if (slot->unsynced)
        (void)sync_schedule_sync(cache->schedule, slot);
    unlink_slot(cache, slot);
    bucket_suspend(slot->bucket);
    return true;
}

bool file_cache_free_descriptor(struct file_cache *cache, int error)
{
    return (error == -EMFILE || error == -ENFILE) && suspend_oldest(cache);
}

static void make_room(struct file_cache *cache)
{
    while (cache->open >= cache->limit && suspend_oldest(cache))
        ;
}

static int resume_bucket(struct file_cache *cache, const char *name, unsigned index,
                         struct bucket *bucket)
{
    int error;
    make_room(cache);
    do
        error = bucket_resume(bucket, cache->root, name, index);
    while (file_cache_free_descriptor(cache, error));
    return error;
}

static int open_or_complete(const struct file_cache *cache, const struct open_prefix *prefix,
                            unsigned index, bool writable, struct bucket **out)
{
    int error = bucket_open(cache->root, prefix->name, index, writable, out);
    if (error != STORE_NO_FILE || !writable)
        return error;
    error = prefix_complete(cache->root, prefix->name, &prefix->manifest);
    if (error != 0)
        return error;
    error = bucket_open(cache->root, prefix->name, index, writable, out);
    return error == STORE_NO_FILE ? STORE_FILES_MISSING : error; /* others are there */
}

/* What was found at the end of a file that is open for appending now. */
static void report_end(const struct file_cache *cache, const struct bucket_slot *slot)
{
    char path[BUCKET_SLOT_PATH_BYTES], line[LINE_BYTES];
    int64_t bytes;
    const struct tail *found = bucket_found(slot->bucket, &bytes);
    if (cache->notice == NULL || found->state == TAIL_WHOLE)
        return;
    const char *what = "bytes that are no record are left as they are; appends follow them";
    if (found->state == TAIL_NOT_REACHED)
        what = "the end is too far away to look for an unfinished append; nothing is cut off";
    else if (found->state == TAIL_TORN)
        what = bucket_broken(slot->bucket) ? "an unfinished append could not be cut off"
                                           : "an unfinished append was cut off";
    bucket_slot_path(slot, cache->root, path);
    (void)snprintf(line, sizeof(line), "%s: at offset %" PRId64 " of %" PRId64 ", %s", path,
                   found->whole, bytes, what);
    cache->notice(line);
}

int file_cache_open(struct file_cache *cache, struct open_prefix *prefix, unsigned index,
                    bool writable)
{
    struct bucket_slot *slot = &prefix->slots[index];
    if (slot->bucket != NULL && (bucket_writable(slot->bucket) || !writable)) {
        if (!bucket_suspended(slot->bucket)) {
            move_to_front(cache, slot);
            return 0;
        }
        int error = resume_bucket(cache, prefix->name, index, slot->bucket);
        if (error == 0)
            link_newest(cache, slot);
        if (error != STORE_NO_FILE && error != STORE_CHANGED)
            return error;
        file_cache_close(cache, slot); /* it is not the file that it was */
    }
    struct bucket *opened;
    int error;
    make_room(cache);
    do
        error = open_or_complete(cache, prefix, index, writable, &opened);
    while (file_cache_free_descriptor(cache, error));
    if (error != 0)
        return error;
    if (slot->bucket != NULL)
        bucket_keep_file_id(opened, slot->bucket);
    file_cache_close(cache, slot); /* if it was open for reading */
    slot->bucket = opened;
    slot->prefix = prefix;
    slot->name_synced = false;
    link_newest(cache, slot);
    if (writable)
        report_end(cache, slot);
    return 0;
}

void file_cache_finish(struct file_cache *cache, struct bucket_slot *slot)
{
    if (slot->unsynced)
        (void)sync_schedule_sync(cache->schedule, slot);
}

void file_cache_close(struct file_cache *cache, struct bucket_slot *slot)
{
    if (slot->bucket == NULL)
        return;
    file_cache_finish(cache, slot);
    if (!bucket_suspended(slot->bucket))
        unlink_slot(cache, slot);
    bucket_close(slot->bucket);
    slot->bucket = NULL;
}

/*
 * 0 or -errno; `*failed`: a sync has failed, now or earlier. To have a descriptor for the directory
 * others are closed, but not this bucket's.
 */
static int sync_names(struct file_cache *cache, struct bucket_slot *slot, bool *failed)
{
    struct open_prefix *prefix = slot->prefix;
    int error;
    unlink_slot(cache, slot);
    do {
        int fd = root_open_directory(cache->root, prefix->name, 0);
        *failed = false;
        error = fd < 0 ? fd : root_sync_names(cache->root, fd, &prefix->names_error, failed);
        if (fd >= 0)
            (void)close(fd);
    } while (file_cache_free_descriptor(cache, error));
    link_newest(cache, slot);
    return error;
}

int file_cache_open_to_sync(struct file_cache *cache, struct open_prefix *prefix, unsigned index,
                            bool *of_sync)
{
    struct bucket_slot *slot = &prefix->slots[index];
    bool failed = false;
    *of_sync = false;
    if (slot->sync_refused)
        return STORE_SYNC_REFUSED;
    int error = file_cache_open(cache, prefix, index, true);
    if (error != 0 || slot->name_synced)
        return error;
    error = sync_names(cache, slot, &failed);
    if (error == -ENOENT && !failed) {
        file_cache_close(cache, slot); /* the directory was deleted: it is made anew */
        error = file_cache_open(cache, prefix, index, true);
        if (error != 0)
            return error;
        error = sync_names(cache, slot, &failed);
    }
    slot->name_synced = error == 0;
    *of_sync = error != 0;
    if (failed)
        sync_schedule_refuse(cache->schedule, slot, "its name", error);
    return error;
}
