/*
 * conditions: what a client wants of a value depending on what it has of it
 * already (RFC 9110, 13 and 14).
 *
 * The entity tag of a value is made of its record's header, its length and time,
 * so no byte of the value has to be read for it. Pure functions; any thread.
 */
#ifndef ROCHEFORT_HTTP_CONDITIONS_H
#define ROCHEFORT_HTTP_CONDITIONS_H

#include <stdbool.h>
#include <stdint.h>

/* A quote, 8 digits of length, 16 of time, a quote, and the NUL. */
#define CONDITIONS_TAG_BYTES 27

/* Values of header lines; NULL if there is none. */
struct conditions {
    const char *range, *if_range, *if_none_match, *if_modified_since;
};

struct conditions_value {
    uint32_t bytes;
    uint64_t time_ns; /* since 1970 */
};

struct conditions_verdict {
    int status;            /* 200, 206, 304 or 416 */
    uint32_t first, bytes; /* 206: which part */
};

/* True if anything is asked for but the whole value, whatever it is. */
bool conditions_any(const struct conditions *conditions);

/* `ranges`: of a GET; HEAD has none. */
struct conditions_verdict conditions_check(const struct conditions *conditions,
                                           const struct conditions_value *value, bool ranges);

/* The entity tag, with its quotes. */
void conditions_tag(const struct conditions_value *value, char out[CONDITIONS_TAG_BYTES]);

#endif
