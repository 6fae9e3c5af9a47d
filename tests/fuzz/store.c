#include "fuzz/store.h"

#include <dirent.h>
#include <endian.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define HEADER_BYTES 16
#define CHECKED_BYTES 12
#define PATH_BYTES (PATH_MAX + 512)

static void need(int good, const char *what, const char *name)
{
    if (good)
        return;
    (void)fprintf(stderr, "store: %s: %s\n", what, name);
    abort();
}

static const char *join(char *path, const char *directory, const char *name)
{
    need(snprintf(path, PATH_BYTES, "%s/%s", directory, name) < PATH_BYTES, "path too long", name);
    return path;
}

static void check_file(const char *path, const char *prefix,
                       void (*check)(const struct store_record *record))
{
    struct stat status;
    FILE *file = fopen(path, "rb");
    need(file != NULL && fstat(fileno(file), &status) == 0, "cannot open", path);
    size_t bytes = (size_t)status.st_size, at = 0;
    uint8_t *data = malloc(bytes + 1);
    need(data != NULL && fread(data, 1, bytes, file) == bytes, "cannot read", path);
    (void)fclose(file);
    while (at < bytes) {
        uint32_t length, sum;
        need(bytes - at >= HEADER_BYTES, "a header is cut short", path);
        memcpy(&length, data + at, sizeof(length));
        memcpy(&sum, data + at + CHECKED_BYTES, sizeof(sum));
        need(le32toh(sum) == crc32(0, data + at, CHECKED_BYTES), "no header", path);
        need(length > 0 && le32toh(length) <= bytes - at - HEADER_BYTES, "a value is cut short",
             path);
        const struct store_record record = {prefix, (int64_t)at, data + at + HEADER_BYTES,
                                            le32toh(length)};
        check(&record);
        at += HEADER_BYTES + record.value_bytes;
    }
    free(data);
}

/* The next name in it that does not begin with a dot, NULL at the end. */
static const char *next_name(DIR *directory)
{
    const struct dirent *entry;
    do {
        entry = readdir(directory);
    } while (entry != NULL && entry->d_name[0] == '.');
    return entry != NULL ? entry->d_name : NULL;
}

static DIR *open_directory(const char *path)
{
    DIR *directory = opendir(path);
    need(directory != NULL, "cannot open", path);
    return directory;
}

void store_read(const char *root, void (*check)(const struct store_record *record))
{
    char path[PATH_BYTES], file_path[PATH_BYTES];
    const char *prefix, *file;
    DIR *prefixes = open_directory(root);
    while ((prefix = next_name(prefixes)) != NULL) {
        DIR *files = open_directory(join(path, root, prefix));
        while ((file = next_name(files)) != NULL)
            if (strcmp(file, "MANIFEST") != 0)
                check_file(join(file_path, path, file), prefix, check);
        (void)closedir(files);
    }
    (void)closedir(prefixes);
}

static void truncate_file(const char *path, const char *prefix, size_t bytes,
                          void (*close_prefix)(const char *prefix))
{
    char file_path[PATH_BYTES];
    struct stat status;
    const char *file = join(file_path, path, "append.0.raw");
    need(stat(file, &status) == 0, "cannot stat", file);
    if ((size_t)status.st_size == bytes)
        return;
    close_prefix(prefix);
    need(truncate(file, (off_t)bytes) == 0, "cannot cut", file);
}

static void remove_all(const char *path)
{
    char file_path[PATH_BYTES];
    const char *file;
    DIR *files = open_directory(path);
    while ((file = next_name(files)) != NULL)
        need(unlink(join(file_path, path, file)) == 0, "cannot remove", file_path);
    (void)closedir(files);
    need(rmdir(path) == 0, "cannot remove", path);
}

void store_reset(const char *root, const char *kept, size_t kept_bytes,
                 void (*close_prefix)(const char *prefix))
{
    char path[PATH_BYTES];
    const char *prefix;
    DIR *prefixes = open_directory(root);
    while ((prefix = next_name(prefixes)) != NULL) {
        (void)join(path, root, prefix);
        if (strcmp(prefix, kept) == 0) {
            truncate_file(path, prefix, kept_bytes, close_prefix);
            continue;
        }
        close_prefix(prefix);
        remove_all(path);
    }
    (void)closedir(prefixes);
}
