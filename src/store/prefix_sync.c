#include "store/prefix_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "store/error.h"
#include "store/manifest.h"
#include "store/name_syncs.h"
#include "store/names.h"

/* Takes the descriptor over. */
static int sync_and_close(int fd, bool *failed)
{
    int error = fsync(fd) != 0 ? -errno : 0;
    *failed = error != 0;
    (void)close(fd); /* nothing was written through it */
    return error;
}

static int sync_file(const struct root *root, const char *name, const char *file, bool *failed)
{
    *failed = false;
    int fd = root_open_file(root, name, file, O_RDONLY);
    if (fd == STORE_NO_FILE)
        return 0;
    return fd < 0 ? fd : sync_and_close(fd, failed);
}

int prefix_sync_file(const struct root *root, const char *name, unsigned bucket, bool *failed)
{
    char file[BUCKET_FILE_NAME_BYTES];
    bucket_file_name(bucket, file);
    return sync_file(root, name, file, failed);
}

int prefix_sync_directory(const struct root *root, const char *name, bool *failed)
{
    int error = sync_file(root, name, MANIFEST_NAME, failed);
    if (error != 0)
        return error;
    int fd = root_open_directory(root, name, 0);
    if (fd < 0)
        return fd;
    error = name_syncs_directory(fd);
    *failed = error != 0;
    (void)close(fd);
    return error;
}
