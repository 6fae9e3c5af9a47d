/*
 * decimal: numbers as text, without the cost of printf.
 *
 * Pure function; any thread.
 */
#ifndef ROCHEFORT_BASE_DECIMAL_H
#define ROCHEFORT_BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

#define DECIMAL_BYTES_MAX 20 /* of 64 bits */

/* Writes `number` in decimal, without a NUL. Returns how many bytes that is. */
size_t decimal_write(uint64_t number, char out[DECIMAL_BYTES_MAX]);

#endif
