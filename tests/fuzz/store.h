/*
 * store: the data directory of the server under test, seen from outside.
 *
 * Errors end the process: a file that is not whole records is a finding.
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

/* Calls `see` for every record of every file of every prefix. */
void store_read(const char *root, void (*see)(const struct store_record *record));

/*
 * Removes all prefixes but `kept`, whose only file is cut back to `kept_bytes`. Of each that is
 * changed the server must `let_go` before.
 */
void store_reset(const char *root, const char *kept, size_t kept_bytes,
                 void (*let_go)(const char *prefix));

#endif
