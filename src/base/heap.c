#include "base/heap.h"

#if __has_include(<jemalloc/jemalloc.h>)

#include <jemalloc/jemalloc.h>
#include <stddef.h>

/* A whole program is linked with it or not, and this library need not know. */
#pragma weak mallctl

/*
 * Read by jemalloc when the program starts. One arena: the threads are few, and with one each 64
 * gets of 1 MiB at a time hold half as much memory again. A thread keeps 100 free blocks of each
 * size, and not 20 of 4 KiB: then 64 requests at a time, each with a buffer of that size, find them
 * there.
 */
const char *malloc_conf = "narenas:1,tcache_nslots_small_min:100";

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

void heap_trim(void)
{
    if (mallctl == NULL)
        return;
    /* They fail only for a name that does not exist. */
    (void)mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
    (void)mallctl("arena." TEXT(MALLCTL_ARENAS_ALL) ".purge", NULL, NULL, NULL, 0);
}

#else

void heap_trim(void) {}

#endif
