#include "work/files.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "store/bucket.h"

#define NOTICE_BYTES (PATH_MAX + PREFIX_NAME_BYTES_MAX + 256)

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
    if (error != -ENOENT || !writable)
        return error;
    error = prefix_complete(files->root, prefix->name, prefix->buckets);
    if (error == 0)
        error = bucket_open(files->root, prefix->name, index, writable, out);
    return error == -ENOENT ? -EUCLEAN : error; /* only this file is missing */
}

/* Says what was found at the end of a file that is open for appending now. */
static void tell(const struct files *files, const char *name, unsigned index,
                 const struct bucket *bucket)
{
    char file[BUCKET_FILE_NAME_BYTES], line[NOTICE_BYTES];
    int64_t bytes;
    const struct tail *found = bucket_found(bucket, &bytes);
    if (files->notice == NULL || found->state == TAIL_WHOLE || found->state == TAIL_FAR)
        return;
    const char *what = "bytes that are no record are left as they are; appends follow them";
    if (found->state == TAIL_TORN)
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
        if (error != -ENOENT && error != -ESTALE)
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
    files_close(files, slot); /* if it was open for reading */
    slot->bucket = opened;
    link_newest(files, slot);
    if (writable) {
        bucket_write_behind(opened, files->write_behind_bytes);
        tell(files, prefix->name, index, opened);
    }
    return 0;
}

void files_close(struct files *files, struct bucket_slot *slot)
{
    if (slot->bucket == NULL)
        return;
    if (!bucket_suspended(slot->bucket))
        unlink_slot(files, slot);
    bucket_close(slot->bucket);
    slot->bucket = NULL;
}
