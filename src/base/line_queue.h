/*
 * line_queue: lines in the order they came, in a fixed number of bytes.
 *
 * Knows no threads: who shares one locks it. The memory is the owner's.
 */
#ifndef ROCHEFORT_BASE_LINE_QUEUE_H
#define ROCHEFORT_BASE_LINE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line_queue {
    char *memory;
    size_t capacity;
    size_t begin, used; /* the oldest byte, and how many from there on, around the end */
};

/* `line` ends in its only newline. False if there is no room for all of it. */
bool line_queue_put(struct line_queue *queue, const char *line, size_t bytes);

/* Copies as many of the oldest lines as fit into `room` as a whole. Returns their bytes: 0 if the
 * queue is empty, or if not even the first fits. */
size_t line_queue_peek(const struct line_queue *queue, char *out, size_t room);

/* Removes the first `bytes` bytes, which line_queue_peek returned. */
void line_queue_remove(struct line_queue *queue, size_t bytes);

/* Removes all lines and returns how many they were. */
uint64_t line_queue_clear(struct line_queue *queue);

/* How many newlines there are in so many bytes. */
uint64_t line_queue_count(const char *lines, size_t bytes);

#endif
