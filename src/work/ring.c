#include "work/ring.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CACHE_LINE_BYTES 64

struct ring {
    /* the producer's line */
    alignas(CACHE_LINE_BYTES) atomic_size_t head;
    size_t tail_seen;
    /* the consumer's line */
    alignas(CACHE_LINE_BYTES) atomic_size_t tail;
    size_t head_seen;
    /* constant */
    alignas(CACHE_LINE_BYTES) size_t mask;
    void *slots[];
};

struct ring *ring_new(size_t capacity)
{
    size_t size = 1;
    while (size < capacity)
        size *= 2;
    size_t bytes = sizeof(struct ring) + size * sizeof(void *);
    bytes = (bytes + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
    struct ring *ring = aligned_alloc(CACHE_LINE_BYTES, bytes);
    if (ring == NULL)
        return NULL;
    atomic_init(&ring->head, 0);
    atomic_init(&ring->tail, 0);
    ring->tail_seen = ring->head_seen = 0;
    ring->mask = size - 1;
    return ring;
}

void ring_free(struct ring *ring)
{
    free(ring);
}

bool ring_push(struct ring *ring, void *pointer)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head - ring->tail_seen > ring->mask) {
        /* pairs with the release in ring_pop: the slot has been read before it is written again */
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head - ring->tail_seen > ring->mask)
            return false;
    }
    ring->slots[head & ring->mask] = pointer;
    /* pairs with the acquire in ring_pop: what the pointer points at is seen with it */
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}

void *ring_pop(struct ring *ring)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail == ring->head_seen) {
        /* pairs with the release in ring_push */
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail == ring->head_seen)
            return NULL;
    }
    void *pointer = ring->slots[tail & ring->mask];
    /* pairs with the acquire in ring_push */
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return pointer;
}

size_t ring_count(const struct ring *ring)
{
    /* No slot is read here, so nothing has to be acquired: pop does that. */
    return atomic_load_explicit(&ring->head, memory_order_relaxed) -
           atomic_load_explicit(&ring->tail, memory_order_relaxed);
}
