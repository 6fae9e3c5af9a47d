#include "tools/adoption.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_io.h"
#include "base/printable.h"
#include "store/error.h"
#include "store/inventory.h"
#include "tools/json_line.h"
#include "tools/report.h"
#include "tools/scan.h"
#include "tools/targets.h"
#include "tools/tools.h"

#define NEW_NAME "." MANIFEST_NAME ".new"

struct directory {
    const char *path;
    bool json;
    int fd;
    struct stat status;
    struct inventory inventory;
    struct manifest manifest; /* what it will have */
    unsigned made;            /* files */
    uint64_t records, empty, ranges;
};

/* The records of one file. */
struct count {
    char *path; /* NULL if there was no memory for it: then no progress is shown */
    uint64_t records, empty, ranges, unreadable_bytes;
};

static int count_adopted_part(void *context, const struct scan_part *part)
{
    struct count *count = context;
    count->records += part->kind == SCAN_RECORD;
    count->empty += part->kind == SCAN_RECORD && part->header.value_bytes == 0;
    count->ranges += part->kind == SCAN_DAMAGED;
    count->unreadable_bytes += part->unreadable_bytes;
    return 0;
}

/* The line about one that was not adopted. */
static void print_reason(const struct directory *directory, const char *state, const char *why)
{
    if (!directory->json)
        return;
    json_line_begin("prefix");
    json_line_text("prefix", directory->path);
    json_line_text("state", state);
    json_line_text("reason", why);
    json_line_end();
}

static int adoption_progress(void *context, int64_t done, int64_t size)
{
    const struct count *count = context;
    if (count->path != NULL)
        report_progress(count->path, done, size);
    return 0;
}

static int refuse(const struct directory *directory, const char *why)
{
    print_reason(directory, "refused", why);
    report_line("%s: not adopted: %s", directory->path, why);
    return TOOLS_DAMAGED;
}

static int fail(const struct directory *directory, const char *file, int error)
{
    print_reason(directory, "failed", store_error_text(error));
    report_line("%s/%s: %s", directory->path, file, store_error_text(error));
    return TOOLS_USAGE;
}

static int fail_directory(const struct directory *directory, int error)
{
    print_reason(directory, "failed", store_error_text(error));
    report_line("%s: %s", directory->path, store_error_text(error));
    return TOOLS_USAGE;
}

/* A file of records, or empty. */
static int check_file(struct directory *directory, const char *file)
{
    struct stat status;
    struct count count = {0};
    int fd = openat(directory->fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return fail(directory, file, -errno);
    int error = fstat(fd, &status) != 0 ? -errno : 0;
    if (error == 0 && !S_ISREG(status.st_mode))
        error = STORE_NOT_REGULAR;
    struct scan scan = {
        .fd = fd, .part = count_adopted_part, .progress = adoption_progress, .context = &count};
    count.path = targets_join(directory->path, file);
    if (error == 0)
        error = scan_run(&scan);
    free(count.path);
    report_progress_end();
    (void)close(fd);
    if (error != 0)
        return fail(directory, file, error);
    if (count.records == 0 && count.unreadable_bytes > 0)
        return fail(directory, file, -EIO);
    if (count.records == 0 && count.ranges > 0) {
        report_line("%s/%s: no record is in it", directory->path, file);
        return refuse(directory, "that is not a file of records");
    }
    directory->records += count.records;
    directory->empty += count.empty;
    directory->ranges += count.ranges;
    if (count.ranges > 0)
        report_line("%s/%s: %" PRIu64 " damaged ranges; rochefort verify says where",
                    directory->path, file, count.ranges);
    return TOOLS_WHOLE;
}

static int check_records(struct directory *directory)
{
    int result = TOOLS_WHOLE;
    for (unsigned i = 0; i < directory->manifest.buckets && result == TOOLS_WHOLE; i++) {
        char file[BUCKET_FILE_NAME_BYTES];
        bucket_file_name(i, file);
        if (inventory_has_file(&directory->inventory, i))
            result = check_file(directory, file);
    }
    return result;
}

/* Owner and mode as the directory has them. */
static int set_owner(const struct directory *directory, int fd)
{
    const struct stat *like = &directory->status;
    /* The group may be one that the user is not in; the files are still the owner's. */
    if (fchown(fd, like->st_uid, like->st_gid) != 0 &&
        (errno != EPERM || geteuid() != like->st_uid))
        return -errno;
    return fchmod(fd, like->st_mode & 0666) != 0 ? -errno : 0;
}

/* Makes a file with this text, on the disk, or none. */
static int make_file(const struct directory *directory, const char *file, int flags,
                     const char *text, size_t bytes)
{
    int fd = openat(directory->fd, file, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags,
                    S_IRUSR | S_IWUSR);
    if (fd < 0)
        return -errno;
    int error = set_owner(directory, fd);
    if (error == 0)
        error = file_write_at(fd, text, bytes, 0);
    if (error == 0 && fsync(fd) != 0)
        error = -errno;
    if (close(fd) != 0 && error == 0)
        error = -errno;
    if (error != 0)
        (void)unlinkat(directory->fd, file, 0);
    return error;
}

static int make_missing_files(struct directory *directory)
{
    for (unsigned i = 0; i < directory->manifest.buckets; i++) {
        char file[BUCKET_FILE_NAME_BYTES];
        bucket_file_name(i, file);
        if (inventory_has_file(&directory->inventory, i))
            continue;
        int error = make_file(directory, file, O_EXCL, "", 0);
        if (error != 0)
            return fail(directory, file, error);
        report_line("%s/%s: was missing; made anew, empty", directory->path, file);
        directory->made++;
    }
    return TOOLS_WHOLE;
}

static int write_manifest(const struct directory *directory)
{
    char text[MANIFEST_BYTES_MAX];
    size_t bytes = manifest_format(&directory->manifest, text);
    int error = make_file(directory, NEW_NAME, O_TRUNC, text, bytes);
    if (error == 0 && renameat(directory->fd, NEW_NAME, directory->fd, MANIFEST_NAME) != 0) {
        error = -errno;
        (void)unlinkat(directory->fd, NEW_NAME, 0);
    }
    /* the names, too, must be on the disk; some file systems have no such thing */
    if (error == 0 && fsync(directory->fd) != 0 && errno != EINVAL)
        error = -errno;
    return error == 0 ? TOOLS_WHOLE : fail(directory, MANIFEST_NAME, error);
}

/* What looks like a bucket file, but is not named as one, is nothing to the server. */
static int report_other_names(const struct directory *directory)
{
    struct dirent **names;
    int count = scandir(directory->path, &names, NULL, alphasort);
    if (count < 0)
        return fail(directory, "", -errno);
    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        if (strncmp(name, "append.", strlen("append.")) == 0 && bucket_file_number(name) < 0)
            report_line("%s/%s: left alone: not the name of a bucket file", directory->path, name);
        free(names[i]);
    }
    free(names);
    return TOOLS_WHOLE;
}

/* Which files are missing, and which there are too many of. */
static int check_adopted_files(const struct directory *directory, bool make_missing)
{
    const struct inventory *inventory = &directory->inventory;
    unsigned missing = 0;
    if (inventory->count > 0 && inventory->highest >= directory->manifest.buckets) {
        report_line("%s/append.%u.raw: only %u files were made", directory->path,
                    inventory->highest, directory->manifest.buckets);
        return refuse(directory, "move away what does not belong to it");
    }
    for (unsigned i = 0; i < directory->manifest.buckets; i++) {
        if (inventory_has_file(inventory, i))
            continue;
        missing++;
        if (!make_missing)
            report_line("%s/append.%u.raw: missing", directory->path, i);
    }
    if (missing == 0 || make_missing)
        return TOOLS_WHOLE;
    return refuse(directory, "bring the files back, or make them anew, empty, with -missing");
}

/* Says what its MANIFEST, or the attribute of an earlier server, does not say otherwise. */
static int decide(const struct adoption *adoption, struct directory *directory)
{
    const struct inventory *inventory = &directory->inventory;
    struct manifest *manifest = &directory->manifest;
    *manifest = (struct manifest){.hash = adoption->hash, .slots = adoption->slots};
    if (inventory->manifest_error == 0) {
        *manifest = inventory->manifest;
        if (adoption->has_hash && adoption->hash != manifest->hash)
            return refuse(directory, "its MANIFEST says another hash; if that is wrong, remove it");
        if (adoption->slots.count == 0)
            return TOOLS_WHOLE;
        manifest->slots = adoption->slots;
        return manifest_equal(manifest, &inventory->manifest)
                   ? TOOLS_WHOLE
                   : refuse(directory,
                            "its MANIFEST says other slots; if that is wrong, remove it");
    }
    switch (inventory->manifest_error) {
    case STORE_NO_MANIFEST:
    case STORE_MANIFEST_TORN:
    case STORE_MANIFEST_INVALID:
        break;
    case STORE_MANIFEST_LATER:
        return refuse(directory, store_error_text(STORE_MANIFEST_LATER));
    default:
        return fail(directory, MANIFEST_NAME, inventory->manifest_error);
    }
    if (inventory->count == 0)
        return refuse(directory, "no append.<N>.raw is in it");
    manifest->buckets = inventory->highest + 1;
    if (inventory->attribute != 0) {
        manifest->buckets = inventory->attribute;
        if (adoption->has_hash && adoption->hash != MANIFEST_XXH3)
            return refuse(directory, "an earlier rochefort has made it, with -hash xxh3");
        manifest->hash = MANIFEST_XXH3;
    } else if (!adoption->has_hash) {
        return refuse(directory, "say with -hash how ids find their files");
    }
    return TOOLS_WHOLE;
}

static void print_json(const struct directory *directory, bool had_manifest)
{
    const struct manifest *manifest = &directory->manifest;
    json_line_begin("prefix");
    json_line_text("prefix", directory->path);
    json_line_text("state", had_manifest ? "has a MANIFEST" : "adopted");
    json_line_number("buckets", manifest->buckets);
    json_line_text("hash", manifest_hash_name(manifest->hash));
    if (manifest->slots.count != 0) {
        json_line_number("first_slot", manifest->slots.first);
        json_line_number("last_slot", manifest->slots.last);
        json_line_number("slots", manifest->slots.count);
    }
    json_line_number("files_made", directory->made);
    json_line_number("records", directory->records);
    json_line_number("empty_records", directory->empty);
    json_line_number("damaged_ranges", directory->ranges);
    json_line_end();
}

static void print_done(const struct directory *directory, bool had_manifest)
{
    const struct manifest *manifest = &directory->manifest;
    printable_print(stdout, "%s: %s: %u buckets, hash %s", directory->path,
                    had_manifest ? "has a MANIFEST" : "adopted", manifest->buckets,
                    manifest_hash_name(manifest->hash));
    if (manifest->slots.count != 0) {
        char slots[SLOTS_TEXT_BYTES];
        manifest_format_slots(&manifest->slots, slots);
        (void)printf(", slots %s", slots);
    }
    if (directory->made > 0)
        (void)printf(", %u files made anew", directory->made);
    (void)printf(", %" PRIu64 " records", directory->records);
    if (directory->empty > 0)
        (void)printf(", %" PRIu64 " of them empty", directory->empty);
    if (directory->ranges > 0)
        (void)printf(", %" PRIu64 " damaged ranges", directory->ranges);
    (void)putchar('\n');
}

static int adopt(const struct adoption *adoption, struct directory *directory)
{
    bool had_manifest = directory->inventory.manifest_error == 0;
    int result = decide(adoption, directory);
    if (result == TOOLS_WHOLE)
        result = check_adopted_files(directory, adoption->make_missing);
    if (result == TOOLS_WHOLE)
        result = report_other_names(directory);
    if (result == TOOLS_WHOLE)
        result = check_records(directory);
    if (result == TOOLS_WHOLE)
        result = make_missing_files(directory);
    if (result == TOOLS_WHOLE && (!had_manifest || directory->made > 0))
        result = write_manifest(directory);
    if (result != TOOLS_WHOLE)
        return result;
    if (directory->json)
        print_json(directory, had_manifest);
    else
        print_done(directory, had_manifest);
    return directory->ranges > 0 ? TOOLS_DAMAGED : TOOLS_WHOLE;
}

int adoption_run(const struct adoption *adoption, const char *path)
{
    static struct directory directory;
    memset(&directory, 0, sizeof(directory));
    directory.path = path;
    directory.json = adoption->json;
    directory.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = directory.fd < 0 || fstat(directory.fd, &directory.status) != 0 ? -errno : 0;
    if (error == 0)
        error = inventory_take(directory.fd, &directory.inventory);
    int result = TOOLS_USAGE;
    if (error == 0)
        result = adopt(adoption, &directory);
    else
        result = fail_directory(&directory, error);
    if (directory.fd >= 0)
        (void)close(directory.fd);
    return result;
}
