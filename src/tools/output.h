/*
 * output: a new file that is complete or does not exist.
 *
 * Written under another name, PATH.partial, and renamed when all of it is on
 * the disk; never over a file that exists. Owns descriptor and names. One thread.
 * Errors: 0 or -errno.
 */
#ifndef ROCHEFORT_TOOLS_OUTPUT_H
#define ROCHEFORT_TOOLS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct output {
    int fd; /* for file_write_at */
    const char *path;
    char *partial;
};

/* Mode and, as far as allowed, owner are those in `like`. -EEXIST: `path` or its .partial exists.
 */
int output_open(struct output *output, const char *path, const struct stat *like);

/* Makes it `size` bytes long, syncs it and gives it its name. Then call output_close. */
int output_finish(struct output *output, int64_t size);

/* Removes what was not finished. */
void output_close(struct output *output);

#endif
