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

struct iovec *batch_add(struct batch *batch, uint64_t time_ns, uint32_t value_bytes,
                        size_t value_parts)
{
    struct batch_record *records =
        grow(batch->records, &batch->record_capacity, batch->record_count + 1, sizeof(*records));
    if (records == NULL)
        return NULL;
    batch->records = records;
    struct iovec *parts = grow(batch->parts, &batch->part_capacity,
                               batch->part_count + 1 + value_parts, sizeof(*parts));
    if (parts == NULL)
        return NULL;
    batch->parts = parts;

    struct batch_record *record = &records[batch->record_count++];
    *record = (struct batch_record){.first_part = batch->part_count,
                                    .bytes = RECORD_HEADER_BYTES + (uint64_t)value_bytes};
    struct record_header header = {value_bytes, time_ns};
    record_header_encode(&header, record->header);
    batch->bytes += record->bytes;
    batch->part_count += 1 + value_parts;
    return &parts[record->first_part + 1];
}
