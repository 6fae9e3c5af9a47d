/*
 * parts: reads and writes of a list of parts at an offset that go on until they are complete.
 *
 * The lists are used up: what was moved is taken off their front. The descriptor stays the
 * caller's. Any thread. Errors: -errno.
 */
#ifndef ROCHEFORT_STORE_PARTS_H
#define ROCHEFORT_STORE_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Writes all `bytes` bytes of the parts, any number of parts. `*written` counts those that are in
 * the file, also on an error. */
int parts_write(int fd, struct iovec *parts, size_t count, uint64_t bytes, int64_t offset,
                uint64_t *written);

/*
 * Reads the parts, at most IOV_MAX. Returns how many bytes, fewer only at the end of the file or,
 * with `cached_only`, at the first byte that is not in memory. `*waits` is set if the file system
 * cannot tell what is in memory (it knows no RWF_NOWAIT): then it is waited for, now and later. So
 * it is if the kernel has no preadv2, or a filter of system calls refuses it.
 */
ssize_t parts_read(int fd, struct iovec *parts, size_t count, size_t bytes, int64_t offset,
                   bool cached_only, bool *waits);

#endif
