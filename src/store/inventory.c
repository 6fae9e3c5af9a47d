#include "store/inventory.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "store/error.h"

/* Of the directory: u32 little-endian. */
#define BUCKETS_ATTRIBUTE "user.rochefort.buckets"

/* There are no attributes: the file system knows none, or an old kernel or a filter of system calls
 * does not let us ask. */
static bool has_no_attributes(int error)
{
    return error == EOPNOTSUPP || error == EPERM || error == ENOSYS;
}

static int read_attribute(int fd, unsigned *buckets)
{
    uint32_t stored = 0;
    ssize_t got = fgetxattr(fd, BUCKETS_ATTRIBUTE, &stored, sizeof(stored));
    *buckets = got == sizeof(stored) ? le32toh(stored) : 0;
    if (*buckets > PREFIX_BUCKETS_MAX)
        *buckets = 0; /* not ours */
    return got < 0 && errno != ENODATA && errno != ERANGE && !has_no_attributes(errno) ? -errno : 0;
}

int inventory_remove_attribute(int directory_fd)
{
    unsigned buckets;
    if (fremovexattr(directory_fd, BUCKETS_ATTRIBUTE) == 0 || errno == ENODATA)
        return 0;
    int error = -errno;
    /* only if it can be read it can be believed */
    return has_no_attributes(-error) && read_attribute(directory_fd, &buckets) == 0 && buckets == 0
               ? 0
               : error;
}

static void add_file(struct inventory *inventory, unsigned bucket)
{
    inventory->files[bucket / 64] |= UINT64_C(1) << bucket % 64;
    if (inventory->count == 0 || bucket < inventory->lowest)
        inventory->lowest = bucket;
    if (inventory->count == 0 || bucket > inventory->highest)
        inventory->highest = bucket;
    inventory->count++;
}

static int list_files(int directory_fd, struct inventory *inventory)
{
    /* one of its own, since closedir closes it */
    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        int error = -errno;
        (void)close(fd);
        return error;
    }
    struct dirent *entry;
    for (errno = 0; (entry = readdir(directory)) != NULL; errno = 0) {
        long number = bucket_file_number(entry->d_name);
        if (number >= 0)
            add_file(inventory, (unsigned)number);
    }
    int error = -errno;
    (void)closedir(directory);
    return error;
}

/* As root_open_file says it. */
static int kind_error(mode_t mode)
{
    if (S_ISREG(mode))
        return 0;
    if (S_ISLNK(mode))
        return -ELOOP;
    return S_ISDIR(mode) ? -EISDIR : STORE_NOT_REGULAR;
}

/* Whether one of the files has records, or is something else than a file. */
static int look_for_records(int directory_fd, struct inventory *inventory)
{
    for (unsigned i = 0; i <= inventory->highest && !inventory->has_records; i++) {
        char file[BUCKET_FILE_NAME_BYTES];
        struct stat status;
        if (!inventory_has_file(inventory, i))
            continue;
        bucket_file_name(i, file);
        if (fstatat(directory_fd, file, &status, AT_SYMLINK_NOFOLLOW) != 0)
            return -errno;
        if (inventory->file_error == 0) {
            inventory->file_error = kind_error(status.st_mode);
            inventory->bad_file = i;
        }
        inventory->has_records = S_ISREG(status.st_mode) && status.st_size > 0;
    }
    return 0;
}

/* None, or one that says nothing. */
static bool lacks_manifest(const struct inventory *inventory)
{
    return inventory->manifest_error == STORE_NO_MANIFEST ||
           inventory->manifest_error == STORE_MANIFEST_TORN;
}

int inventory_take(int directory_fd, struct inventory *inventory)
{
    *inventory = (struct inventory){0};
    /* First, since it is written last: the files that it speaks of are there then. */
    inventory->manifest_error = manifest_read(directory_fd, &inventory->manifest);
    int error = list_files(directory_fd, inventory);
    if (error != 0 || inventory->count == 0 || inventory->manifest_error == 0)
        return error;
    error = read_attribute(directory_fd, &inventory->attribute);
    return error != 0 ? error : look_for_records(directory_fd, inventory);
}

static int check_files(const struct inventory *inventory, unsigned buckets, unsigned *file)
{
    for (unsigned i = 0; i < buckets; i++) {
        if (!inventory_has_file(inventory, i)) {
            *file = i;
            return STORE_FILES_MISSING;
        }
    }
    if (inventory->highest < buckets)
        return 0;
    *file = inventory->highest;
    return STORE_FILES_ADDITIONAL;
}

/* Without a MANIFEST, or with one that says nothing. */
static int check_without_manifest(const struct inventory *inventory, struct manifest *manifest,
                                  unsigned *file)
{
    *manifest = (struct manifest){.buckets = inventory->highest + 1, .hash = MANIFEST_XXH3};
    if (inventory->attribute != 0) {
        manifest->buckets = inventory->attribute;
        return check_files(inventory, manifest->buckets, file);
    }
    if (inventory->has_records) {
        *file = inventory->manifest_error == STORE_NO_MANIFEST ? PREFIX_DIRECTORY : PREFIX_MANIFEST;
        return inventory->manifest_error;
    }
    if (inventory->file_error != 0) {
        *file = inventory->bad_file;
        return inventory->file_error;
    }
    return STORE_INCOMPLETE;
}

int inventory_check(const struct inventory *inventory, struct manifest *manifest, unsigned *file)
{
    *manifest = inventory->manifest;
    *file = PREFIX_DIRECTORY;
    if (inventory->manifest_error != 0 && !lacks_manifest(inventory)) {
        *file = PREFIX_MANIFEST;
        return inventory->manifest_error;
    }
    if (inventory->count == 0)
        return STORE_NO_PREFIX;
    if (inventory->manifest_error == 0)
        return check_files(inventory, manifest->buckets, file);
    return check_without_manifest(inventory, manifest, file);
}
