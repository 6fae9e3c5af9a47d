/*
 * http_date: moments as HTTP writes them, "Sun, 06 Nov 1994 08:49:37 GMT".
 *
 * Pure functions; any thread.
 */
#ifndef ROCHEFORT_HTTP_HTTP_DATE_H
#define ROCHEFORT_HTTP_HTTP_DATE_H

#include <stdbool.h>
#include <stdint.h>

#define HTTP_DATE_BYTES 30 /* with the NUL */

/* Seconds since 1970, of the years up to 9999. */
void http_date_write(int64_t seconds, char out[HTTP_DATE_BYTES]);

/* Reads the form above, and the two old ones of RFC 9110, 5.6.7. False if it is none of them. */
bool http_date_parse(const char *text, int64_t *seconds);

#endif
