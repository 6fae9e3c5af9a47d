/*
 * file_io: reads and writes at an offset that go on until they are complete.
 *
 * pread and pwrite may stop early (a signal, a full disk); callers here want all of it or the
 * reason why not. The descriptor stays the caller's. Any thread. Errors: -errno.
 */
#ifndef ROCHEFORT_BASE_FILE_IO_H
#define ROCHEFORT_BASE_FILE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads `bytes` bytes at `offset`. Returns their number, smaller only at the end of the file. */
ssize_t file_read_at(int fd, void *data, size_t bytes, int64_t offset);

/* As file_read_at, for bytes that must be there: 0, or -ENODATA if the file ends before. */
int file_read_exactly(int fd, void *data, size_t bytes, int64_t offset);

/* Writes all `bytes` bytes at `offset`. 0 or -errno; part of them may be written then. */
int file_write_at(int fd, const void *data, size_t bytes, int64_t offset);

#endif
