#include "store/neighbours.h"

#include <endian.h>
#include <string.h>

#include "store/record.h"

size_t neighbours_count(const uint64_t *offsets, size_t count, size_t each_bytes)
{
    uint64_t first = le64toh(offsets[0]), last = first;
    size_t found = 1;
    if (first > INT64_MAX - NEIGHBOURS_BYTES)
        return found;
    for (; found < count; found++) {
        uint64_t next = le64toh(offsets[found]);
        if (next <= last || next - last > each_bytes ||
            next - first + each_bytes > NEIGHBOURS_BYTES)
            break;
        last = next;
    }
    return found;
}

void neighbours_read(struct neighbours *neighbours, struct bucket *bucket, const uint64_t *offsets,
                     size_t count, size_t each_bytes, bool cached_only)
{
    int64_t end = (int64_t)le64toh(offsets[count - 1]) + (int64_t)each_bytes;
    neighbours->begin = (int64_t)le64toh(offsets[0]);
    neighbours->bytes = bucket_read_some(bucket, neighbours->begin, neighbours->data,
                                         (size_t)(end - neighbours->begin), cached_only);
}

bool neighbours_find(const struct neighbours *neighbours, const struct bucket *bucket,
                     int64_t offset, void *buffer, size_t capacity, struct bucket_value *found)
{
    struct record_header header;
    int64_t end = neighbours->begin + (int64_t)neighbours->bytes;
    if (offset < neighbours->begin || end - offset < RECORD_HEADER_BYTES)
        return false;
    const uint8_t *record = neighbours->data + (offset - neighbours->begin);
    uint64_t below_tail = (uint64_t)(bucket_tail(bucket) - offset - RECORD_HEADER_BYTES);
    if (record_header_decode(record, below_tail, &header) != 0 || header.value_bytes > capacity ||
        header.value_bytes > (uint64_t)(end - offset - RECORD_HEADER_BYTES))
        return false;
    memcpy(buffer, record + RECORD_HEADER_BYTES, header.value_bytes);
    found->value_bytes = found->read_bytes = header.value_bytes;
    found->time_ns = header.time_ns;
    return true;
}
