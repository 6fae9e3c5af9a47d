/*
 * name_status: which file a name leads to, without opening it.
 *
 * One call to the kernel, statx, which need not be asked for the times: a write after they were
 * asked for has to set new ones, which doubles its price. Old kernels do not have statx, and the
 * filters of system calls of old container runtimes refuse it. Then fstatat is called instead,
 * from then on at once.
 *
 * Any thread.
 */
#ifndef ROCHEFORT_STORE_NAME_STATUS_H
#define ROCHEFORT_STORE_NAME_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct name_status {
    dev_t device;
    ino_t inode;
    int64_t bytes;
};

/*
 * Of `path`, relative to a directory; a symbolic link at its end is not followed. With `current` a
 * network file system asks its server, if it can. 0 or -errno.
 */
int name_status_read(int directory_fd, const char *path, bool current, struct name_status *status);

#endif
