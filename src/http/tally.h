/*
 * tally: what the server keeps of each response: a count, and a line in the log of one that was
 * slow or that is a failure of the server's.
 *
 * Called once for each response, when its status is known and it is as good as sent.
 *
 * Loop thread. No errors.
 */
#ifndef ROCHEFORT_HTTP_TALLY_H
#define ROCHEFORT_HTTP_TALLY_H

#include <stdint.h>

struct exchange;
struct service;

/* `what` is the request, or why there is none. */
void tally_response(struct service *service, unsigned endpoint, int status, uint64_t took_ns,
                    const char *what);

/* The same of an exchange, before it is freed. */
void tally_exchange(const struct exchange *exchange, int status);

/* If the status is one of a failure of the server's the log is told. `why` is printable. */
void tally_failure(struct service *service, int status, const char *why);

/* The same for the job of an exchange; response_failure does that too. For a response that has
 * begun, and tells the client in another way. */
void tally_job_failure(const struct exchange *exchange);

#endif
