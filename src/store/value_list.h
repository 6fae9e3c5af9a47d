/*
 * value_list: many values that came in one piece.
 *
 *   list = 1*( length value )     length: 4 bytes, little-endian, not 0
 *
 * It lies in any number of segments of memory, and lengths and values may go across their borders.
 * Nothing is copied but a length that does so.
 *
 * Pure functions; any thread.
 */
#ifndef ROCHEFORT_STORE_VALUE_LIST_H
#define ROCHEFORT_STORE_VALUE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define VALUE_LIST_LENGTH_BYTES 4

/* A place in a list. Zeroed but for the first two it is the beginning. */
struct value_list {
    const struct iovec *segments;
    size_t count;           /* of segments */
    size_t segment, offset; /* the place */
};

/* The length at the place, which goes behind it. False: there are not so many bytes; `*length` is
 * then how many there are. */
bool value_list_length(struct value_list *list, uint32_t *length);

/* The bytes at the place that lie in one piece, at most `bytes_max`, and goes behind them. Their
 * number is 0 at the end only. */
struct iovec value_list_bytes(struct value_list *list, size_t bytes_max);

enum value_list_fault {
    VALUE_LIST_GOOD,
    VALUE_LIST_EMPTY_VALUE,
    VALUE_LIST_CUT_LENGTH, /* fewer than 4 bytes at its end */
    VALUE_LIST_CUT_VALUE,
    VALUE_LIST_TOO_LONG, /* a value */
    VALUE_LIST_TOO_MANY
};

struct value_list_limits {
    uint32_t count_max, value_bytes_max;
};

struct value_list_content {
    enum value_list_fault fault;
    uint32_t count;       /* of values; with a fault: of those before the bad one, its index */
    uint32_t last_bytes;  /* length of the last value, or of the bad one, if it has one */
    uint64_t value_bytes; /* of all values together, without their lengths */
    uint64_t left_bytes;  /* VALUE_LIST_CUT_...: so many bytes are there of it */
};

/* Looks at the whole list, up to the first fault. */
void value_list_check(const struct iovec *segments, size_t count,
                      const struct value_list_limits *limits, struct value_list_content *content);

#endif
