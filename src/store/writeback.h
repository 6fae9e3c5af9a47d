/*
 * writeback: has the kernel begin early to write to the disk what is appended.
 *
 * Left alone the kernel lets dirty pages gather for half a minute, or up to a
 * part of the memory. Where appends come faster than the disk takes them that
 * limit is reached, and then the kernel holds up whoever writes, us or anybody
 * else on the machine. So after each `every_bytes` appended it is told to begin
 * with them. That is all: nobody waits until they are on the disk, and nothing
 * is promised of them. Even to begin can take long, though, if the queue of the
 * disk is full of what others write. Then telling is of little use, so of our
 * time it may take an eighth at most; what was not told of is told of later.
 *
 * Only whole pages are told of. The last page, which the next append goes on
 * with, would be written twice, and the append might have to wait for the first.
 *
 * Belongs to whoever owns the descriptor. No errors: see writeback.c on why.
 */
#ifndef ROCHEFORT_STORE_WRITEBACK_H
#define ROCHEFORT_STORE_WRITEBACK_H

#include <stdint.h>

struct writeback {
    int64_t every_bytes; /* 0: the kernel is left alone */
    int64_t page_bytes;
    int64_t told;           /* offset: below it the kernel was told, or it is not ours to tell */
    int64_t *not_before_ns; /* CLOCK_MONOTONIC; of all files of a thread */
};

/* For a file of which all below `tail` is the kernel's own business. All files of a thread share
 * `not_before_ns`, which begins with 0 and outlives them. */
void writeback_start(struct writeback *writeback, int64_t every_bytes, int64_t tail,
                     int64_t *not_before_ns);

/* Something was appended, or taken back: the file ends at `tail` now. */
void writeback_move(struct writeback *writeback, int fd, int64_t tail);

#endif
