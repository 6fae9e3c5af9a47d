/*
 * forwarded: which header lines evhttp is to see: those that something reads, and no more.
 *
 * Set once, before the first client. Loop thread. No errors.
 */
#ifndef ROCHEFORT_HTTP_FORWARDED_H
#define ROCHEFORT_HTTP_FORWARDED_H

#include <stdbool.h>

#define FORWARDED_MAX 12 /* names, and NULL at the end */

/* `logged`: there is an access log; `proxies`: some are trusted, see trusted_proxies.h. */
void forwarded_set(const char *names[FORWARDED_MAX], bool logged, bool proxies);

#endif
