#include "base/heap.h"

#if __has_include(<mimalloc.h>)

#include <mimalloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/* A whole program is linked with it or not, and this library need not know. */
#pragma weak mi_collect
#pragma weak mi_option_get
#pragma weak mi_option_set

#if MI_MALLOC_VERSION < 210
#define FREED_DELAY mi_option_decommit_delay
#else
#define FREED_DELAY mi_option_purge_delay
#endif

#define BLOCKS 64
#define BLOCK_BYTES (1 << 20)

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned trimming; /* threads */
static long usual_delay;

/*
 * What is freed is given back after a delay, but only when its thread allocates or frees something
 * near it later on. So as long as somebody collects there is no delay. Not always: then each value
 * of 1 MiB that is read costs 257 page faults, and twice the CPU time.
 */
static void begin_trim(void)
{
    (void)pthread_mutex_lock(&mutex);
    if (trimming++ == 0) {
        usual_delay = mi_option_get(FREED_DELAY);
        mi_option_set(FREED_DELAY, 0);
    }
    (void)pthread_mutex_unlock(&mutex);
}

/*
 * What was freed before the trim, and lies in a segment with something that is in use, is given
 * back by the next allocation in the segment. So some blocks are allocated, more than two segments
 * have room for, and freed; that touches a page of each.
 */
static void touch_segments(void)
{
    void *volatile blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(BLOCK_BYTES);
    for (size_t i = 0; i < BLOCKS; i++)
        free(blocks[i]);
}

static void end_trim(void)
{
    (void)pthread_mutex_lock(&mutex);
    if (--trimming == 0)
        mi_option_set(FREED_DELAY, usual_delay);
    (void)pthread_mutex_unlock(&mutex);
}

void heap_trim(void)
{
    if (mi_collect == NULL || mi_option_get == NULL || mi_option_set == NULL)
        return;
    begin_trim();
    mi_collect(true);
    touch_segments();
    end_trim();
}

#else

void heap_trim(void) {}

#endif
