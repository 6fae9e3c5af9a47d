#include "work/file_cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "store/bucket.h"
#include "store/error.h"

#define LINE_BYTES (BUCKET_SLOT_PATH_BYTES + 256)
/* So many files that are owed a sync are passed over for one that can be closed at once. */
#define LOOKS 64

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
}

static void link_newest(struct file_cache *cache, struct bucket_slot *slot)
{
    slot->older = cache->newest;
    slot->newer = NULL;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = slot;
    cache->newest = slot;
}

static void add_opened(struct file_cache *cache, struct bucket_slot *slot)
{
    link_newest(cache, slot);
    cache->open++;
}

static void remove_opened(struct file_cache *cache, struct bucket_slot *slot)
{
    unlink_slot(cache, slot);
    cache->open--;
}

void file_cache_pin(struct file_cache *cache, struct bucket_slot *slot)
{
    unlink_slot(cache, slot);
    slot->syncing = true;
}

void file_cache_unpin(struct file_cache *cache, struct bucket_slot *slot)
{
    slot->syncing = false;
    link_newest(cache, slot);
}

/* The order does not matter as long as there is plenty of room. */
static void move_to_front(struct file_cache *cache, struct bucket_slot *slot)
{
    if (slot == cache->newest || slot->syncing || cache->open <= cache->limit / 2)
        return;
    unlink_slot(cache, slot);
    link_newest(cache, slot);
}

void file_cache_report_close(const struct file_cache *cache, const struct bucket_slot *slot,
                             int error)
{
    char path[BUCKET_SLOT_PATH_BYTES], line[LINE_BYTES];
    if (cache->notice == NULL)
        return;
    bucket_slot_path(slot, cache->root, path);
    (void)snprintf(line, sizeof(line),
                   "%s: could not be closed, it may not be as it was written: %s", path,
                   store_error_text(error));
    cache->notice(line);
}

static void suspend(struct file_cache *cache, struct bucket_slot *slot)
{
    remove_opened(cache, slot);
    int error = bucket_suspend(slot->bucket);
    if (error != 0)
        file_cache_report_close(cache, slot, error);
}

/* The oldest that is not owed a sync. If there is none the sync of the oldest is the next. */
static bool suspend_oldest(struct file_cache *cache)
{
    struct bucket_slot *slot = cache->oldest;
    for (unsigned looks = 0; slot != NULL && slot->unsynced && looks < LOOKS; looks++)
        slot = slot->newer;
    if (slot != NULL && !slot->unsynced) {
        suspend(cache, slot);
        return true;
    }
    cache->must_wait = cache->open > 0; /* they are owed a sync, or are being synced */
    if (cache->oldest != NULL)
        sync_schedule_expedite(cache->schedule, cache->oldest);
    return false;
}

bool file_cache_free_descriptor(struct file_cache *cache, int error)
{
    cache->must_wait = false;
    return (error == -EMFILE || error == -ENFILE) && suspend_oldest(cache);
}

int file_cache_wait_or(const struct file_cache *cache, int error)
{
    return cache->must_wait ? FILE_CACHE_WAIT : error;
}

/* 0 or FILE_CACHE_WAIT. */
static int make_room(struct file_cache *cache)
{
    cache->must_wait = false;
    while (cache->open >= cache->limit && suspend_oldest(cache))
        ;
    return file_cache_wait_or(cache, 0);
}

static int resume_bucket(struct file_cache *cache, const char *name, unsigned index,
                         struct bucket *bucket)
{
    int error = make_room(cache);
    if (error != 0)
        return error;
    do
        error = bucket_resume(bucket, cache->root, name, index);
    while (file_cache_free_descriptor(cache, error));
    return file_cache_wait_or(cache, error);
}

/* A bucket file is not there: whether the whole prefix was deleted, or this file is lost. 0: it has
 * all its files by now. */
static int look_for_prefix(const struct file_cache *cache, const struct open_prefix *prefix)
{
    struct manifest found = {0};
    unsigned missing, file;
    int error =
        prefix_find(cache->root, prefix->name, &prefix->manifest, false, &found, &missing, &file);
    bool is_another = found.buckets != 0 && !manifest_equal(&found, &prefix->manifest);
    if (error == STORE_NO_PREFIX)
        return is_another ? STORE_FILES_MISSING : FILE_CACHE_DELETED;
    return error == 0 && is_another ? STORE_FILES_MISSING : error;
}

int file_cache_explain_missing(const struct file_cache *cache, const struct open_prefix *prefix)
{
    int error = look_for_prefix(cache, prefix);
    if (error == FILE_CACHE_DELETED)
        return STORE_NO_PREFIX;
    return error != 0 ? error : STORE_FILES_MISSING; /* others are there */
}

static int open_bucket(const struct file_cache *cache, struct open_prefix *prefix, unsigned index,
                       bool writable, struct bucket **out)
{
    int error = bucket_open(cache->root, prefix->name, index, writable, out);
    if (error != STORE_NO_FILE || !writable)
        return error;
    error = look_for_prefix(cache, prefix);
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

/* It takes the place of what the slot had before, if anything. */
static void set_bucket(struct file_cache *cache, struct bucket_slot *slot,
                       struct open_prefix *prefix, struct bucket *opened)
{
    struct bucket *before = slot->bucket;
    if (before != NULL) {
        bucket_keep_file_id(opened, before);
        if (bucket_file_id(opened) != bucket_file_id(before) && cache->names != NULL)
            prefix_names_made(cache->names, &prefix->names);
        (void)file_cache_close(cache, slot); /* nothing was written through it */
    }
    slot->bucket = opened;
    slot->prefix = prefix;
    add_opened(cache, slot);
}

int file_cache_open(struct file_cache *cache, struct open_prefix *prefix, unsigned index,
                    bool writable)
{
    struct bucket_slot *slot = &prefix->slots[index];
    int error;
    if (slot->bucket != NULL && (bucket_writable(slot->bucket) || !writable)) {
        if (!bucket_suspended(slot->bucket)) {
            move_to_front(cache, slot);
            return 0;
        }
        error = resume_bucket(cache, prefix->name, index, slot->bucket);
        if (error == 0)
            add_opened(cache, slot);
        if (error != STORE_NO_FILE && error != STORE_CHANGED)
            return error;
        (void)file_cache_close(cache, slot); /* it is not the file that it was */
        if (cache->names != NULL)
            prefix_names_made(cache->names, &prefix->names);
    }
    struct bucket *opened;
    error = make_room(cache);
    if (error != 0)
        return error;
    do
        error = open_bucket(cache, prefix, index, writable, &opened);
    while (file_cache_free_descriptor(cache, error));
    if (error != 0)
        return file_cache_wait_or(cache, error);
    set_bucket(cache, slot, prefix, opened);
    if (writable)
        report_end(cache, slot);
    return 0;
}

int file_cache_check_prefix(const struct file_cache *cache, const struct open_prefix *prefix)
{
    char path[MANIFEST_PATH_BYTES];
    struct root_stamp now;
    if (!root_read_only(cache->root))
        return 0;
    manifest_path(prefix->name, path);
    int error = root_stamp_file(cache->root, path, &now);
    if (error != 0)
        return error;
    return root_stamps_equal(&now, &prefix->stamp) ? 0 : FILE_CACHE_DELETED;
}

int file_cache_open_current(struct file_cache *cache, struct open_prefix *prefix, unsigned index)
{
    int error = file_cache_open(cache, prefix, index, false);
    if (!root_read_only(cache->root) || (error != 0 && error != STORE_NO_FILE))
        return error;
    int changed = error == 0 ? bucket_refresh(prefix->slots[index].bucket) : 0;
    if (changed == STORE_NO_FILE)
        return FILE_CACHE_DELETED;
    if (changed == 0) /* after the file: it is that of the prefix as it was opened */
        changed = file_cache_check_prefix(cache, prefix);
    return changed != 0 ? changed : error;
}

int file_cache_close(struct file_cache *cache, struct bucket_slot *slot)
{
    if (slot->bucket == NULL)
        return 0;
    if (slot->unsynced)
        sync_schedule_expedite(cache->schedule, slot);
    if (slot->unsynced || slot->syncing)
        return FILE_CACHE_WAIT;
    if (!bucket_suspended(slot->bucket))
        remove_opened(cache, slot);
    int error = bucket_close(slot->bucket);
    slot->bucket = NULL;
    if (error != 0)
        file_cache_report_close(cache, slot, error);
    return error;
}

int file_cache_close_all(struct file_cache *cache)
{
    int first = 0;
    while (cache->oldest != NULL) {
        int error = file_cache_close(cache, cache->oldest);
        if (first == 0)
            first = error;
    }
    return first;
}
