#include "store/prefix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_HEAD "append."
#define NAME_TAIL ".raw"

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

/* The number in a bucket's file name, or -1 if `name` is not exactly one. */
static long bucket_number(const char *name)
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
};

/* Takes the directory's descriptor over. */
static int scan_directory(int fd, struct run *run)
{
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        int error = -errno;
        (void)close(fd);
        return error;
    }
    *run = (struct run){0, PREFIX_BUCKETS_MAX, 0};
    struct dirent *entry;
    for (errno = 0; (entry = readdir(directory)) != NULL; errno = 0) {
        long number = bucket_number(entry->d_name);
        if (number < 0)
            continue;
        run->count++;
        if ((unsigned)number < run->lowest)
            run->lowest = (unsigned)number;
        if ((unsigned)number > run->highest)
            run->highest = (unsigned)number;
    }
    int error = -errno;
    (void)closedir(directory);
    return error;
}

/* Makes append.<below - 1>.raw down to append.0.raw. */
static int create_files(const struct root *root, const char *name, unsigned below)
{
    while (below > 0) {
        char file[BUCKET_FILE_NAME_BYTES];
        bucket_file_name(--below, file);
        int fd = root_open_file(root, name, file, O_WRONLY | O_CREAT);
        if (fd < 0)
            return fd;
        if (close(fd) != 0)
            return -errno;
    }
    return 0;
}

int prefix_resolve(const struct root *root, const char *name, unsigned buckets_if_new, bool create,
                   unsigned *buckets)
{
    int fd = root_open_directory(root, name, create);
    if (fd < 0)
        return fd;
    struct run run = {0};
    int error = scan_directory(fd, &run);
    if (error != 0)
        return error;
    if (run.count == 0) {
        if (!create)
            return -ENOENT;
        *buckets = buckets_if_new;
        return create_files(root, name, buckets_if_new);
    }
    if (run.count != run.highest - run.lowest + 1)
        return -EUCLEAN;
    *buckets = run.highest + 1;
    return create ? create_files(root, name, run.lowest) : 0;
}

/* 0 or -errno, in particular -ENOENT. */
static int check_file(const struct root *root, const char *name, unsigned bucket)
{
    char file[BUCKET_FILE_NAME_BYTES];
    bucket_file_name(bucket, file);
    int fd = root_open_file(root, name, file, O_RDONLY);
    if (fd < 0)
        return fd;
    (void)close(fd);
    return 0;
}

/* 0 if the directory has no bucket file (it is made if it is missing), -EUCLEAN if it has one. */
static int check_empty(const struct root *root, const char *name)
{
    struct run run;
    int fd = root_open_directory(root, name, 1);
    int error = fd < 0 ? fd : scan_directory(fd, &run);
    return error == 0 && run.count > 0 ? -EUCLEAN : error;
}

int prefix_complete(const struct root *root, const char *name, unsigned buckets)
{
    int error = check_file(root, name, buckets - 1);
    if (error == -ENOENT) {
        error = check_empty(root, name);
        if (error == 0)
            return create_files(root, name, buckets);
        /* another thread has begun meanwhile if the last is there now */
        if (error == -EUCLEAN && check_file(root, name, buckets - 1) == 0)
            error = 0;
    }
    if (error != 0)
        return error;
    error = check_file(root, name, 0);
    return error == -ENOENT ? create_files(root, name, buckets - 1) : error;
}
