/*
 * endpoints: what the service can do, one file each.
 *
 * A handler checks its parameters and either replies at once or fills the job
 * and submits it. endpoints_dispatch picks the handler by path and method.
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_HTTP_ENDPOINTS_H
#define ROCHEFORT_HTTP_ENDPOINTS_H

#include <stddef.h>

#include "http/exchange.h"
#include "http/right.h"

#define GET_MULTI_BODY_BYTES_MAX (JOB_OFFSETS_MAX * JOB_OFFSET_BYTES)

/* A page of names. */
#define PREFIXES_MAX 1000

/* So much a list of ends or names can take, as it is found and as it is sent. */
#define LIST_MEMORY_BYTES_MAX (2 * 1024 * 1024)

/* For a client that has put it into the body, or nowhere. */
#define ENDPOINTS_ID_MISSING "id missing or empty; give it in the query: ?id=X"

/* The label of an endpoint in the metrics, by exchange->endpoint; NULL if there is none. */
const char *endpoints_label(unsigned endpoint);

/* What is asked of the token of a request for that path, which is not NUL-terminated; RIGHT_ANY if
 * there is no such path. */
enum right endpoints_right(const char *path, size_t bytes);

/* Answers the scans that wait; the server stops. */
void scan_end_waits(struct service *service);

/* The query is not parsed yet. Ends in a reply, now or later. */
void endpoints_dispatch(struct exchange *exchange);

void append_handle(struct exchange *exchange);
void append_multi_handle(struct exchange *exchange);
void get_handle(struct exchange *exchange);
void get_multi_handle(struct exchange *exchange);
void scan_handle(struct exchange *exchange);
void ends_handle(struct exchange *exchange);
void prefixes_handle(struct exchange *exchange);
void close_handle(struct exchange *exchange);
void page_handle(struct exchange *exchange);
void metrics_handle(struct exchange *exchange);
void stats_handle(struct exchange *exchange);
void healthz_handle(struct exchange *exchange);
void readyz_handle(struct exchange *exchange);

#endif
