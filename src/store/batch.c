#include "store/batch.h"

#include <stdlib.h>

#define FIRST_CAPACITY 64

void batch_free(struct batch *batch)
{
    free(batch->records);
    free(batch->parts);
    *batch = (struct batch){0};
}

void batch_reset(struct batch *batch)
{
    batch->record_count = 0;
    batch->part_count = 0;
    batch->bytes = 0;
}

/* Room for `wanted` elements in all. Returns the array, or NULL with the old one untouched. */
static void *grow(void *array, size_t *capacity, size_t wanted, size_t element_bytes)
{
    if (array != NULL && wanted <= *capacity)
        return array;
    size_t larger = *capacity < FIRST_CAPACITY ? FIRST_CAPACITY : *capacity * 2;
    if (larger < wanted)
        larger = wanted;
    void *grown = reallocarray(array, larger, element_bytes);
    if (grown != NULL)
        *capacity = larger;
    return grown;
}

/* NULL when out of memory, with the batch as it was. */
static struct batch_record *add_record(struct batch *batch, uint32_t value_bytes, uint64_t time_ns,
                                       size_t part_count)
{
    struct batch_record *records =
        grow(batch->records, &batch->record_capacity, batch->record_count + 1, sizeof(*records));
    if (records == NULL)
        return NULL;
    batch->records = records;
    struct iovec *parts =
        grow(batch->parts, &batch->part_capacity, batch->part_count + part_count, sizeof(*parts));
    if (parts == NULL)
        return NULL;
    batch->parts = parts;

    struct batch_record *record = &records[batch->record_count++];
    *record = (struct batch_record){.first_part = batch->part_count,
                                    .part_count = part_count,
                                    .bytes = RECORD_HEADER_BYTES + (uint64_t)value_bytes};
    struct record_header header = {value_bytes, time_ns};
    record_header_encode(&header, record->header);
    batch->part_count += part_count;
    return record;
}

struct iovec *batch_add(struct batch *batch, uint64_t time_ns, uint32_t value_bytes,
                        size_t value_parts)
{
    const struct batch_record *record = add_record(batch, value_bytes, time_ns, 1 + value_parts);
    if (record == NULL)
        return NULL;
    batch->bytes += record->bytes;
    return &batch->parts[record->first_part + 1];
}

struct iovec *batch_add_list(struct batch *batch, uint64_t time_ns,
                             const struct value_list_content *content, uint64_t *offsets,
                             size_t segments)
{
    struct batch_record *record = add_record(batch, content->last_bytes, time_ns, segments);
    if (record == NULL)
        return NULL;
    record->values = content->count;
    record->time_ns = time_ns;
    record->offsets = offsets;
    record->bytes = content->value_bytes + (uint64_t)content->count * RECORD_HEADER_BYTES;
    batch->bytes += record->bytes;
    return &batch->parts[record->first_part];
}

void batch_expect(struct batch *batch, int64_t end)
{
    struct batch_record *record = &batch->records[batch->record_count - 1];
    record->expects = true;
    record->expected = end;
}

uint64_t batch_written_bytes(const struct batch *batch)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < batch->record_count; i++)
        if (batch->records[i].error == 0)
            bytes += batch->records[i].bytes;
    return bytes;
}
