/*
 * store: the data directory of the server under test, read without its code.
 *
 * Errors abort: a file that is not a sequence of whole records is a finding.
 */
#ifndef ROCHEFORT_TESTS_FUZZ_STORE_H
#define ROCHEFORT_TESTS_FUZZ_STORE_H

#include <stddef.h>
#include <stdint.h>

struct store_record {
    const char *prefix;
    int64_t offset;
    const uint8_t *value;
    size_t value_bytes;
};

/* Calls `check` for every record of every file of every prefix. */
void store_read(const char *root, void (*check)(const struct store_record *record));

/*
 * Removes all prefixes but `kept`, whose only file is truncated to `kept_bytes`. Calls
 * `close_prefix` for each before it is changed.
 */
void store_reset(const char *root, const char *kept, size_t kept_bytes,
                 void (*close_prefix)(const char *prefix));

#endif
