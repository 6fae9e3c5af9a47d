#include "store/prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "store/error.h"
#include "store/inventory.h"
#include "store/prefix_limit.h"

static int create_file(const struct root *root, const char *name, unsigned bucket)
{
    char file[BUCKET_FILE_NAME_BYTES];
    bucket_file_name(bucket, file);
    int fd = root_open_file(root, name, file, O_WRONLY | O_CREAT);
    if (fd < 0)
        return fd;
    return close(fd) != 0 ? -errno : 0;
}

static int write_new_manifest(const struct root *root, const char *name,
                              const struct manifest *manifest)
{
    int fd = root_open_directory(root, name, 0);
    if (fd < 0)
        return fd;
    int error = manifest_write(root, name, fd, manifest);
    (void)close(fd);
    return error;
}

int prefix_make_files(const struct root *root, const char *name, const struct manifest *manifest,
                      unsigned *missing, unsigned count)
{
    const unsigned before = *missing;
    int error = 0;
    for (; error == 0 && *missing > 0 && count > 0; count--) {
        error = create_file(root, name, *missing - 1);
        if (error == 0 && *missing == 1)
            error = write_new_manifest(root, name, manifest);
        *missing -= error == 0;
    }
    prefix_limit_settle(root_prefix_limit(root), before - *missing);
    return error;
}

/* In a directory without bucket files. What it says of others goes first: if this creation is cut
 * short too, it must not be believed. */
static int clear_directory(int directory_fd)
{
    int error = manifest_remove(directory_fd);
    return error != 0 ? error : inventory_remove_attribute(directory_fd);
}

/* Of a creation that was cut short. At least one: MANIFEST is written after the last. */
static unsigned count_missing(const struct inventory *inventory, unsigned buckets)
{
    while (buckets > 1 && inventory_has_file(inventory, buckets - 1))
        buckets--;
    return buckets;
}

static int find_prefix(const struct root *root, const char *name, int directory_fd,
                       const struct manifest *if_new, bool create, struct manifest *manifest,
                       unsigned *missing, unsigned *file)
{
    struct inventory inventory;
    int error = root_check_owner(root, directory_fd, MANIFEST_NAME);
    if (error != 0) {
        *file = PREFIX_MANIFEST;
        return error;
    }
    error = inventory_take(directory_fd, &inventory);
    if (error != 0)
        return error;
    error = inventory_check(&inventory, manifest, file);
    /* of a copy that is being made: nothing is taken for what is not there */
    if (error == STORE_FILES_MISSING && inventory.manifest_error == 0 && root_read_only(root))
        return 0;
    if (error == STORE_INCOMPLETE) {
        if (!create)
            return STORE_NO_PREFIX;
        manifest->slots = if_new->slots;
        *missing = count_missing(&inventory, manifest->buckets);
        return 0;
    }
    if (error == STORE_NO_PREFIX && create) {
        if (!prefix_name_valid_if_new(name))
            return STORE_NAME_REFUSED;
        *manifest = *if_new;
        *missing = if_new->buckets;
        return clear_directory(directory_fd);
    }
    /* of an earlier server; if it cannot be written the attribute goes on being believed */
    if (error == 0 && inventory.manifest_error != 0 && root_check(root) == 0)
        (void)manifest_write(root, name, directory_fd, manifest);
    return error;
}

/* Opens the directory. `*promised`: so many files were granted to a new one. */
static int open_or_make(const struct root *root, const char *name, unsigned files, bool create,
                        unsigned *promised)
{
    struct prefix_limit *limit = root_prefix_limit(root);
    int fd = root_open_directory(root, name, 0);
    *promised = 0;
    if (fd != -ENOENT || !create)
        return fd;
    int error = prefix_name_valid_if_new(name) ? 0 : STORE_NAME_REFUSED;
    if (error == 0)
        error = prefix_limit_take(limit, true, files);
    if (error != 0)
        return error;
    fd = root_open_directory(root, name, 1);
    if (fd >= 0) {
        prefix_limit_made(limit);
        *promised = files;
        return fd;
    }
    prefix_limit_settle(limit, files);
    prefix_limit_give_back(limit);
    return fd;
}

/* Asks for the files that are missing; so many were promised. */
static int ask_for_files(struct prefix_limit *limit, unsigned promised, unsigned missing)
{
    if (missing > promised)
        return prefix_limit_take(limit, false, missing - promised);
    prefix_limit_settle(limit, promised - missing);
    return 0;
}

int prefix_find(const struct root *root, const char *name, const struct manifest *if_new,
                bool create, struct manifest *manifest, unsigned *missing, unsigned *file)
{
    struct prefix_limit *limit = root_prefix_limit(root);
    unsigned promised;
    *missing = 0;
    *file = PREFIX_DIRECTORY;
    int fd = open_or_make(root, name, if_new->buckets, create, &promised);
    if (fd < 0)
        return fd == -ENOENT && !create ? STORE_NO_PREFIX : fd;
    int error = find_prefix(root, name, fd, if_new, create, manifest, missing, file);
    (void)close(fd);
    if (error == 0)
        error = ask_for_files(limit, promised, *missing);
    if (error != 0) {
        *missing = 0;
        prefix_limit_settle(limit, promised);
    }
    return error;
}

void prefix_abandon(const struct root *root, unsigned *missing)
{
    prefix_limit_settle(root_prefix_limit(root), *missing);
    *missing = 0;
}
