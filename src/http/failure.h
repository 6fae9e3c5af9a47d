/*
 * failure: what went wrong with a job, for the client and for the log.
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_HTTP_FAILURE_H
#define ROCHEFORT_HTTP_FAILURE_H

#include <stddef.h>

#include "http/exchange.h"

/* Enough for every description: two paths and some words. */
#define FAILURE_TEXT_BYTES_MAX 12288

/* Describes the error of the exchange's job and the file that it is of. Returns the status. */
int failure_describe(const struct exchange *exchange, char out[FAILURE_TEXT_BYTES_MAX]);

/* The same for the log of the server: with the status and without the offset, so that all failures
 * of a file for the same reason read alike. */
int failure_summarize(const struct exchange *exchange, char out[FAILURE_TEXT_BYTES_MAX]);

#endif
