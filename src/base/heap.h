/*
 * heap: memory that is free goes back to the system.
 *
 * The allocator keeps what was freed for what comes next, and looks at it only
 * when it is asked for more: after a burst a process that has nothing to do
 * would hold it for ever.
 *
 * Any thread. A program with another allocator than jemalloc keeps its memory.
 */
#ifndef ROCHEFORT_BASE_HEAP_H
#define ROCHEFORT_BASE_HEAP_H

/* Gives back all that is free but for what other threads keep for themselves, some KiB of each
 * size. That takes a system call for each free range, some milliseconds for 100 MiB, and the next
 * use of the memory is a page fault: not for a busy thread. */
void heap_trim(void);

#endif
