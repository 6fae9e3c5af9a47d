#include "store/batch_slice.h"

#include <endian.h>
#include <string.h>

static void add_part(struct batch_slice *slice, struct iovec part)
{
    slice->parts[slice->count++] = part;
    slice->bytes += part.iov_len;
}

/* True: all of it is in slices. */
static bool add_record(struct batch_slice *slice, struct batch_record *record)
{
    const struct iovec *parts = &slice->batch->parts[record->first_part];
    for (; slice->part < record->part_count && slice->count < IOV_MAX; slice->part++) {
        struct iovec header = {record->header, RECORD_HEADER_BYTES};
        add_part(slice, slice->part == 0 ? header : parts[slice->part]);
    }
    return slice->part == record->part_count;
}

/* Its length is the next thing in the list. */
static void begin_value(struct batch_slice *slice, struct batch_record *record)
{
    uint8_t *header = slice->headers[slice->headers_used++];
    (void)value_list_length(&slice->list, &slice->value_left);
    const struct record_header fields = {slice->value_left, record->time_ns};
    record_header_encode(&fields, header);
    add_part(slice, (struct iovec){header, RECORD_HEADER_BYTES});
    record->offsets[slice->values++] = htole64((uint64_t)record->offset + slice->list_bytes);
    slice->list_bytes += RECORD_HEADER_BYTES + (uint64_t)slice->value_left;
}

/* The same for a list. */
static bool add_list(struct batch_slice *slice, struct batch_record *record)
{
    if (slice->list.segments == NULL) {
        slice->list = (struct value_list){.segments = &slice->batch->parts[record->first_part],
                                          .count = record->part_count};
        slice->values = slice->value_left = 0;
        slice->list_bytes = 0;
    }
    while (slice->count < IOV_MAX) {
        if (slice->value_left > 0) {
            struct iovec part = value_list_bytes(&slice->list, slice->value_left);
            slice->value_left -= (uint32_t)part.iov_len;
            add_part(slice, part);
        } else if (slice->values < record->values) {
            begin_value(slice, record);
        } else {
            break;
        }
    }
    return slice->value_left == 0 && slice->values == record->values;
}

void batch_slice_begin(struct batch_slice *slice, const struct batch *batch)
{
    slice->batch = batch; /* not all of it is set: it is large, and most batches are not */
    slice->record = slice->part = 0;
    slice->list = (struct value_list){0};
}

bool batch_slice_next(struct batch_slice *slice)
{
    slice->count = slice->headers_used = 0;
    slice->bytes = 0;
    for (; slice->record < slice->batch->record_count; slice->record++) {
        struct batch_record *record = &slice->batch->records[slice->record];
        if (record->error != 0)
            continue;
        if (!(record->values > 0 ? add_list(slice, record) : add_record(slice, record)))
            break;
        slice->part = 0;
        slice->list = (struct value_list){0};
    }
    return slice->count > 0;
}
