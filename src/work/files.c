#include "work/files.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/bucket.h"
#include "store/error.h"

#define NOTICE_BYTES (PATH_MAX + PREFIX_NAME_BYTES_MAX + 256)

void files_init(struct files *files, const struct root *root, unsigned limit, int sync_after_ms,
                void (*notice)(const char *line))
{
    *files = (struct files){
        .root = root, .limit = limit, .sync_after_ms = sync_after_ms, .notice = notice};
    files->unsynced_end = &files->unsynced;
}

static void unlink_slot(struct files *files, struct bucket_slot *slot)
{
    *(slot->newer != NULL ? &slot->newer->older : &files->newest) = slot->older;
    *(slot->older != NULL ? &slot->older->newer : &files->oldest) = slot->newer;
    slot->newer = slot->older = NULL;
    files->open--;
}

static void link_newest(struct files *files, struct bucket_slot *slot)
{
    slot->older = files->newest;
    slot->newer = NULL;
    *(files->newest != NULL ? &files->newest->newer : &files->oldest) = slot;
    files->newest = slot;
    files->open++;
}

/* The order is of no interest as long as there is plenty of room. */
static void used(struct files *files, struct bucket_slot *slot)
{
    if (slot == files->newest || files->open <= files->limit / 2)
        return;
    unlink_slot(files, slot);
    link_newest(files, slot);
}

static bool suspend_oldest(struct files *files)
{
    struct bucket_slot *slot = files->oldest;
    if (slot == NULL)
        return false;
    if (slot->unsynced)
        (void)files_sync(files, slot);
    unlink_slot(files, slot);
    bucket_suspend(slot->bucket);
    return true;
}

bool files_give_up_one(struct files *files, int error)
{
    return (error == -EMFILE || error == -ENFILE) && suspend_oldest(files);
}

static void make_room(struct files *files)
{
    while (files->open >= files->limit && suspend_oldest(files))
        ;
}

static int resume(struct files *files, const char *name, unsigned index, struct bucket *bucket)
{
    int error;
    make_room(files);
    do
        error = bucket_resume(bucket, files->root, name, index);
    while (files_give_up_one(files, error));
    return error;
}

static int open_or_complete(const struct files *files, const struct open_prefix *prefix,
                            unsigned index, bool writable, struct bucket **out)
{
    int error = bucket_open(files->root, prefix->name, index, writable, out);
    if (error != STORE_NO_FILE || !writable)
        return error;
    error = prefix_complete(files->root, prefix->name, prefix->buckets);
    if (error != 0)
        return error;
    error = bucket_open(files->root, prefix->name, index, writable, out);
    return error == STORE_NO_FILE ? STORE_FILES_MISSING : error; /* others are there */
}

/* Says what was found at the end of a file that is open for appending now. */
static void tell(const struct files *files, const char *name, unsigned index,
                 const struct bucket *bucket)
{
    char file[BUCKET_FILE_NAME_BYTES], line[NOTICE_BYTES];
    int64_t bytes;
    const struct tail *found = bucket_found(bucket, &bytes);
    if (files->notice == NULL || found->state == TAIL_WHOLE)
        return;
    const char *what = "bytes that are no record are left as they are; appends follow them";
    if (found->state == TAIL_NOT_REACHED)
        what = "the end is too far away to look for an unfinished append; nothing is cut off";
    else if (found->state == TAIL_TORN)
        what = bucket_broken(bucket) ? "an unfinished append could not be cut off"
                                     : "an unfinished append was cut off";
    bucket_file_name(index, file);
    (void)snprintf(line, sizeof(line), "%s/%s/%s: at offset %" PRId64 " of %" PRId64 ", %s",
                   root_path(files->root), name, file, found->whole, bytes, what);
    files->notice(line);
}

int files_open(struct files *files, struct open_prefix *prefix, unsigned index, bool writable)
{
    struct bucket_slot *slot = &prefix->slots[index];
    if (slot->bucket != NULL && (bucket_writable(slot->bucket) || !writable)) {
        if (!bucket_suspended(slot->bucket)) {
            used(files, slot);
            return 0;
        }
        int error = resume(files, prefix->name, index, slot->bucket);
        if (error == 0)
            link_newest(files, slot);
        if (error != STORE_NO_FILE && error != STORE_CHANGED)
            return error;
        files_close(files, slot); /* it is not the file that it was */
    }
    struct bucket *opened;
    int error;
    make_room(files);
    do
        error = open_or_complete(files, prefix, index, writable, &opened);
    while (files_give_up_one(files, error));
    if (error != 0)
        return error;
    if (slot->bucket != NULL)
        bucket_keep_file_id(opened, slot->bucket);
    files_close(files, slot); /* if it was open for reading */
    slot->bucket = opened;
    slot->prefix = prefix;
    slot->name_synced = false;
    link_newest(files, slot);
    if (writable)
        tell(files, prefix->name, index, opened);
    return 0;
}

void files_close(struct files *files, struct bucket_slot *slot)
{
    if (slot->bucket == NULL)
        return;
    if (slot->unsynced)
        (void)files_sync(files, slot);
    if (!bucket_suspended(slot->bucket))
        unlink_slot(files, slot);
    bucket_close(slot->bucket);
    slot->bucket = NULL;
}

void files_appended(struct files *files, struct bucket_slot *slot)
{
    if (files->sync_after_ms <= 0 || slot->unsynced)
        return;
    slot->unsynced = true;
    slot->next_unsynced = NULL;
    *files->unsynced_end = slot;
    files->unsynced_end = &slot->next_unsynced;
    if (files->unsynced_count++ == files->unsynced_due)
        files->due_ns = clock_monotonic_ns() + (unsigned)files->sync_after_ms * CLOCK_NS_PER_MS;
}

/* An fdatasync comes with it, beside which the way along the list is short. */
static void forget_unsynced(struct files *files, struct bucket_slot *slot)
{
    struct bucket_slot **link = &files->unsynced;
    unsigned place = 0;
    for (; *link != slot; link = &(*link)->next_unsynced)
        place++;
    *link = slot->next_unsynced;
    if (files->unsynced_end == &slot->next_unsynced)
        files->unsynced_end = link;
    files->unsynced_count--;
    files->unsynced_due -= place < files->unsynced_due;
    slot->unsynced = false;
}

/* No sync of this bucket is tried any more. */
static void refuse(struct files *files, struct bucket_slot *slot, const char *what, int error)
{
    char file[BUCKET_FILE_NAME_BYTES], line[NOTICE_BYTES];
    slot->sync_refused = true;
    if (files->notice == NULL)
        return;
    bucket_file_name((unsigned)(slot - slot->prefix->slots), file);
    (void)snprintf(line, sizeof(line),
                   "%s/%s/%s: %s could not be synced: %s; until its prefix is closed it takes no "
                   "more appends that are to be synced",
                   root_path(files->root), slot->prefix->name, file, what, store_error_text(error));
    files->notice(line);
}

int files_sync(struct files *files, struct bucket_slot *slot)
{
    bool promised = slot->unsynced;
    if (promised)
        forget_unsynced(files, slot);
    int error = bucket_sync(slot->bucket);
    if (error != 0)
        refuse(files, slot, promised ? "appends that were answered" : "it", error);
    return error;
}

uint64_t files_due_ns(const struct files *files)
{
    if (files->unsynced == NULL)
        return 0;
    return files->unsynced_due > 0 ? 1 : files->due_ns;
}

void files_sync_due(struct files *files)
{
    if (files->unsynced == NULL)
        return;
    if (files->unsynced_due == 0 && clock_monotonic_ns() >= files->due_ns)
        files->unsynced_due = files->unsynced_count;
    if (files->unsynced_due > 0)
        (void)files_sync(files, files->unsynced);
}

void files_sync_all(struct files *files)
{
    while (files->unsynced != NULL)
        (void)files_sync(files, files->unsynced);
}

/*
 * 0 or -errno; `*failed`: a sync has failed, now or earlier. Without a descriptor for the directory
 * others are given up, but not this one.
 */
static int sync_names(struct files *files, struct bucket_slot *slot, bool *failed)
{
    struct open_prefix *prefix = slot->prefix;
    int error;
    unlink_slot(files, slot);
    do {
        int fd = root_open_directory(files->root, prefix->name, 0);
        *failed = false;
        error = fd < 0 ? fd : root_sync_names(files->root, fd, &prefix->names_error, failed);
        if (fd >= 0)
            (void)close(fd);
    } while (files_give_up_one(files, error));
    link_newest(files, slot);
    return error;
}

int files_open_to_sync(struct files *files, struct open_prefix *prefix, unsigned index,
                       bool *of_sync)
{
    struct bucket_slot *slot = &prefix->slots[index];
    bool failed = false;
    *of_sync = false;
    if (slot->sync_refused)
        return STORE_SYNC_REFUSED;
    int error = files_open(files, prefix, index, true);
    if (error != 0 || slot->name_synced)
        return error;
    error = sync_names(files, slot, &failed);
    if (error == -ENOENT && !failed) {
        files_close(files, slot); /* the directory was deleted: it is made anew */
        error = files_open(files, prefix, index, true);
        if (error != 0)
            return error;
        error = sync_names(files, slot, &failed);
    }
    slot->name_synced = error == 0;
    *of_sync = error != 0;
    if (failed)
        refuse(files, slot, "its name", error);
    return error;
}
