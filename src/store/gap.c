#include "store/gap.h"

#include <string.h>

unsigned gap_encode(uint64_t bytes, uint8_t out[RECORD_HEADER_BYTES])
{
    if (bytes < RECORD_HEADER_BYTES) {
        memset(out, GAP_SHORT_BYTE, (size_t)bytes);
        return (unsigned)bytes;
    }
    struct record_header header = {0, bytes - RECORD_HEADER_BYTES};
    record_header_encode(&header, out);
    return RECORD_HEADER_BYTES;
}

bool gap_is_short(const uint8_t *bytes, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (bytes[i] != GAP_SHORT_BYTE)
            return false;
    return count > 0;
}

uint64_t gap_or_record_bytes(const struct record_header *header, uint64_t left)
{
    if (record_header_is_gap(header, left))
        return RECORD_HEADER_BYTES + header->time_ns;
    return RECORD_HEADER_BYTES + (uint64_t)header->value_bytes;
}
