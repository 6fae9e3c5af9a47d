#include "store/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"

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

bool prefix_name_valid_if_new(const char *name)
{
    return printable_is(name, strlen(name));
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
