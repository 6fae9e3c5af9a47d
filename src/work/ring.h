/*
 * ring: a bounded queue of pointers from one producer thread to one consumer thread.
 *
 * `head` counts what was ever pushed and is written by the producer alone,
 * `tail` what was ever popped and is written by the consumer alone; the slot
 * of element n is n & mask. Each side keeps a stale copy of the other's
 * counter on its own cache line and looks again only when the copy says that
 * the ring is full (or empty).
 *
 * Acquire and release:
 *   push: slot write   -> release store of head   partner: pop's acquire load of head
 *   pop:  slot read    -> release store of tail   partner: push's acquire load of tail
 */
#ifndef ROCHEFORT_WORK_RING_H
#define ROCHEFORT_WORK_RING_H

#include <stdbool.h>
#include <stddef.h>

struct ring;

/* Room for at least `capacity` pointers (at least 1). NULL when out of memory. */
struct ring *ring_new(size_t capacity);
void ring_free(struct ring *ring);

/* Producer. False if the ring is full. `pointer` must not be NULL. */
bool ring_push(struct ring *ring, void *pointer);

/* Consumer. NULL if the ring is empty. */
void *ring_pop(struct ring *ring);

/* Consumer. So many pops will find something, whatever the producer does meanwhile. */
size_t ring_count(const struct ring *ring);

#endif
