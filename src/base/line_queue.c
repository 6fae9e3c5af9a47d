#include "base/line_queue.h"

#include <string.h>

/* Of `bytes` bytes that begin at `at`, as many as there are before the end of the memory. */
static size_t before_end(const struct line_queue *queue, size_t at, size_t bytes)
{
    size_t left = queue->capacity - at;
    return bytes < left ? bytes : left;
}

bool line_queue_put(struct line_queue *queue, const char *line, size_t bytes)
{
    if (bytes > queue->capacity - queue->used)
        return false;
    size_t at = (queue->begin + queue->used) % queue->capacity;
    size_t first = before_end(queue, at, bytes);
    memcpy(queue->memory + at, line, first);
    memcpy(queue->memory, line + first, bytes - first);
    queue->used += bytes;
    return true;
}

size_t line_queue_peek(const struct line_queue *queue, char *out, size_t room)
{
    size_t bytes = queue->used < room ? queue->used : room;
    size_t first = before_end(queue, queue->begin, bytes);
    memcpy(out, queue->memory + queue->begin, first);
    memcpy(out + first, queue->memory, bytes - first);
    const char *last = memrchr(out, '\n', bytes);
    return last == NULL ? 0 : (size_t)(last - out) + 1;
}

void line_queue_remove(struct line_queue *queue, size_t bytes)
{
    queue->used -= bytes;
    /* An empty queue begins at the beginning again, so that a log that is read in time does not
     * touch all of the memory. */
    queue->begin = queue->used == 0 ? 0 : (queue->begin + bytes) % queue->capacity;
}

uint64_t line_queue_count(const char *lines, size_t bytes)
{
    uint64_t count = 0;
    for (const char *end = lines + bytes; (lines = memchr(lines, '\n', (size_t)(end - lines)));
         lines++)
        count++;
    return count;
}

uint64_t line_queue_clear(struct line_queue *queue)
{
    size_t first = before_end(queue, queue->begin, queue->used);
    uint64_t count = line_queue_count(queue->memory + queue->begin, first) +
                     line_queue_count(queue->memory, queue->used - first);
    queue->begin = queue->used = 0;
    return count;
}
