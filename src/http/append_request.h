/*
 * append_request: what the requests that append have in common.
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_HTTP_APPEND_REQUEST_H
#define ROCHEFORT_HTTP_APPEND_REQUEST_H

#include <stdbool.h>

#include "http/exchange.h"

/* Fills the job with the body and what the query says of it. False: it was refused. */
bool append_request_begin(struct exchange *exchange);

#endif
