#include "store/value_list.h"

#include <endian.h>
#include <string.h>

/* Goes on to the next segment if one has ended. True: there is none. */
static bool at_end(struct value_list *list)
{
    while (list->segment < list->count && list->offset == list->segments[list->segment].iov_len) {
        list->segment++;
        list->offset = 0;
    }
    return list->segment == list->count;
}

struct iovec value_list_bytes(struct value_list *list, size_t bytes_max)
{
    if (at_end(list))
        return (struct iovec){0};
    const struct iovec *segment = &list->segments[list->segment];
    size_t bytes = segment->iov_len - list->offset;
    if (bytes > bytes_max)
        bytes = bytes_max;
    struct iovec part = {(char *)segment->iov_base + list->offset, bytes};
    list->offset += bytes;
    return part;
}

/* Across the border of a segment, or at the end. */
static bool length_in_parts(struct value_list *list, uint32_t *length)
{
    char bytes[VALUE_LIST_LENGTH_BYTES];
    size_t done = 0;
    while (done < sizeof(bytes)) {
        struct iovec part = value_list_bytes(list, sizeof(bytes) - done);
        if (part.iov_len == 0) {
            *length = (uint32_t)done;
            return false;
        }
        memcpy(bytes + done, part.iov_base, part.iov_len);
        done += part.iov_len;
    }
    memcpy(length, bytes, sizeof(bytes));
    *length = le32toh(*length);
    return true;
}

bool value_list_length(struct value_list *list, uint32_t *length)
{
    if (list->segment == list->count ||
        list->segments[list->segment].iov_len - list->offset < VALUE_LIST_LENGTH_BYTES)
        return length_in_parts(list, length);
    memcpy(length, (const char *)list->segments[list->segment].iov_base + list->offset,
           VALUE_LIST_LENGTH_BYTES);
    *length = le32toh(*length);
    list->offset += VALUE_LIST_LENGTH_BYTES;
    return true;
}

/* Goes behind a value. Returns how many bytes of it are there. */
static uint64_t skip(struct value_list *list, uint32_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        size_t some = value_list_bytes(list, bytes - done).iov_len;
        if (some == 0)
            break;
        done += some;
    }
    return done;
}

/* The next value: VALUE_LIST_GOOD, or what is wrong with it. */
static enum value_list_fault check_value(struct value_list *list,
                                         const struct value_list_limits *limits,
                                         struct value_list_content *content)
{
    uint32_t bytes;
    if (content->count == limits->count_max)
        return VALUE_LIST_TOO_MANY;
    if (!value_list_length(list, &bytes)) {
        content->left_bytes = bytes;
        return VALUE_LIST_CUT_LENGTH;
    }
    content->last_bytes = bytes;
    if (bytes == 0)
        return VALUE_LIST_EMPTY_VALUE;
    if (bytes > limits->value_bytes_max)
        return VALUE_LIST_TOO_LONG;
    content->left_bytes = skip(list, bytes);
    if (content->left_bytes < bytes)
        return VALUE_LIST_CUT_VALUE;
    content->value_bytes += bytes;
    content->count++;
    return VALUE_LIST_GOOD;
}

void value_list_check(const struct iovec *segments, size_t count,
                      const struct value_list_limits *limits, struct value_list_content *content)
{
    struct value_list list = {.segments = segments, .count = count};
    *content = (struct value_list_content){.fault = VALUE_LIST_GOOD};
    while (content->fault == VALUE_LIST_GOOD && !at_end(&list))
        content->fault = check_value(&list, limits, content);
}
