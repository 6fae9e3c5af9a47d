#include "store/prefix.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "store/error.h"

#define NAME_HEAD "append."
#define NAME_TAIL ".raw"
/* Of the directory: the number of its buckets, u32 little-endian, once all of them were made. */
#define BUCKETS_ATTRIBUTE "user.rochefort.buckets"

bool prefix_name_valid(const char *name, size_t bytes)
{
    if (bytes == 0 || bytes > PREFIX_NAME_BYTES_MAX || name[0] == '.')
        return false;
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c < 0x20 || c == 0x7f || c == '/')
            return false;
    }
    return true;
}

void bucket_file_name(unsigned bucket, char out[BUCKET_FILE_NAME_BYTES])
{
    (void)snprintf(out, BUCKET_FILE_NAME_BYTES, NAME_HEAD "%u" NAME_TAIL, bucket);
}

long bucket_file_number(const char *name)
{
    if (strncmp(name, NAME_HEAD, strlen(NAME_HEAD)) != 0)
        return -1;
    char *end;
    errno = 0;
    unsigned long number = strtoul(name + strlen(NAME_HEAD), &end, 10);
    if (errno != 0 || number >= PREFIX_BUCKETS_MAX)
        return -1;
    char spelled[BUCKET_FILE_NAME_BYTES];
    bucket_file_name((unsigned)number, spelled);
    return strcmp(name, spelled) == 0 ? (long)number : -1;
}

struct run {
    unsigned count;
    unsigned lowest;
    unsigned highest;
    unsigned made; /* the buckets attribute: how many were made; 0: not known */
};

int prefix_read_attribute(int fd, unsigned *buckets)
{
    uint32_t stored = 0;
    ssize_t got = fgetxattr(fd, BUCKETS_ATTRIBUTE, &stored, sizeof(stored));
    *buckets = got == sizeof(stored) ? le32toh(stored) : 0;
    return got < 0 && errno != ENODATA && errno != EOPNOTSUPP && errno != ERANGE ? -errno : 0;
}

/* No result: without the attribute the files are counted, as in directories that never had it. */
static void write_attribute(const struct root *root, const char *name, unsigned buckets)
{
    uint32_t stored = htole32(buckets);
    int fd = root_open_directory(root, name, 0);
    if (fd < 0)
        return;
    (void)fsetxattr(fd, BUCKETS_ATTRIBUTE, &stored, sizeof(stored), 0);
    (void)close(fd);
}

/* Before files are made anew: an attribute that is left is not about them. */
static int remove_attribute(const struct root *root, const char *name)
{
    int fd = root_open_directory(root, name, 0);
    if (fd < 0)
        return fd;
    int error = fremovexattr(fd, BUCKETS_ATTRIBUTE) != 0 ? -errno : 0;
    (void)close(fd);
    return error == -ENODATA || error == -EOPNOTSUPP ? 0 : error;
}

/* Takes the directory's descriptor over. */
static int scan_directory(int fd, struct run *run)
{
    unsigned made;
    int error = prefix_read_attribute(fd, &made);
    if (error != 0) {
        (void)close(fd);
        return error;
    }
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        error = -errno;
        (void)close(fd);
        return error;
    }
    *run = (struct run){.lowest = PREFIX_BUCKETS_MAX, .made = made};
    struct dirent *entry;
    for (errno = 0; (entry = readdir(directory)) != NULL; errno = 0) {
        long number = bucket_file_number(entry->d_name);
        if (number < 0)
            continue;
        run->count++;
        if ((unsigned)number < run->lowest)
            run->lowest = (unsigned)number;
        if ((unsigned)number > run->highest)
            run->highest = (unsigned)number;
    }
    error = -errno;
    (void)closedir(directory);
    return error;
}

static int create_file(const struct root *root, const char *name, unsigned bucket)
{
    char file[BUCKET_FILE_NAME_BYTES];
    bucket_file_name(bucket, file);
    int fd = root_open_file(root, name, file, O_WRONLY | O_CREAT);
    if (fd < 0)
        return fd;
    return close(fd) != 0 ? -errno : 0;
}

int prefix_make_files(const struct root *root, const char *name, unsigned buckets,
                      unsigned *missing, unsigned count)
{
    for (; *missing > 0 && count > 0; --*missing, count--) {
        int error = create_file(root, name, *missing - 1);
        if (error != 0)
            return error;
    }
    if (*missing == 0)
        write_attribute(root, name, buckets);
    return 0;
}

int prefix_find(const struct root *root, const char *name, unsigned buckets_if_new, bool create,
                unsigned *buckets, unsigned *missing)
{
    int fd = root_open_directory(root, name, create);
    if (fd < 0)
        return fd == -ENOENT && !create ? STORE_NO_PREFIX : fd;
    struct run run = {0};
    int error = scan_directory(fd, &run);
    if (error != 0)
        return error;
    if (run.count == 0) {
        if (!create)
            return STORE_NO_PREFIX;
        *buckets = *missing = buckets_if_new;
        return run.made != 0 ? remove_attribute(root, name) : 0;
    }
    if (run.count != run.highest - run.lowest + 1)
        return STORE_FILES_MISSING;
    if (run.made != 0 && (run.lowest > 0 || run.made != run.count))
        return STORE_FILES_MISSING;
    *buckets = run.highest + 1;
    *missing = create ? run.lowest : 0;
    return 0;
}

/* 0, or STORE_NO_FILE, or another error. */
static int find_bucket_file(const struct root *root, const char *name, unsigned bucket)
{
    char file[BUCKET_FILE_NAME_BYTES];
    bucket_file_name(bucket, file);
    int fd = root_open_file(root, name, file, O_RDONLY);
    if (fd < 0)
        return fd;
    (void)close(fd);
    return 0;
}

/* Makes the files below `missing`. */
static int make_rest(const struct root *root, const char *name, unsigned missing, unsigned buckets)
{
    return prefix_make_files(root, name, buckets, &missing, buckets);
}

/* In a directory that has none. */
static int make_all(const struct root *root, const char *name, const struct run *run,
                    unsigned buckets)
{
    int error = run->made != 0 ? remove_attribute(root, name) : 0;
    return error != 0 ? error : make_rest(root, name, buckets, buckets);
}

/* What is in the directory of a prefix, which is made if it is missing. */
static int scan_prefix(const struct root *root, const char *name, struct run *run)
{
    int fd = root_open_directory(root, name, 1);
    return fd < 0 ? fd : scan_directory(fd, run);
}

int prefix_complete(const struct root *root, const char *name, unsigned buckets)
{
    struct run run = {0};
    int error = find_bucket_file(root, name, buckets - 1);
    if (error == STORE_NO_FILE) {
        error = scan_prefix(root, name, &run);
        if (error == 0 && run.count == 0)
            return make_all(root, name, &run, buckets);
        /* another thread has begun meanwhile if the last is there now */
        if (error == 0)
            error = find_bucket_file(root, name, buckets - 1);
        if (error == STORE_NO_FILE)
            error = STORE_FILES_MISSING;
    }
    if (error == 0)
        error = find_bucket_file(root, name, 0);
    if (error != STORE_NO_FILE)
        return error;
    error = scan_prefix(root, name, &run);
    return error != 0 || run.made != 0 ? error : make_rest(root, name, buckets - 1, buckets);
}
