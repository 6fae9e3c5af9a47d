/*
 * farewell: how a connection ends so that the client still gets its last reply.
 *
 * The client may be sending when we close; that would reset the connection and
 * could take the last reply with it. So for a few seconds we only end our side
 * and throw away what comes; for longer if the client still takes that reply,
 * as fast as patience.h wants it.
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_NET_FAREWELL_H
#define ROCHEFORT_NET_FAREWELL_H

#include <stdint.h>

#include "net/connection.h"

/* So long a connection lingers at least, in seconds. */
#define FAREWELL_SECONDS 2

/* The last reply is written and evhttp has let go: lingers. */
void farewell_linger(struct connection *connection);

/* In state LINGERING: throws away what has come. True if there may be more already. */
bool farewell_linger_on(struct connection *connection);

/* What was written to the socket and the client's machine has not acknowledged. */
uint64_t farewell_unsent_bytes(const struct connection *connection);

/* Answers without evhttp, which has not seen the request or has not understood it. */
void farewell_refuse(struct connection *connection, int status, const char *why);

/* Closes a connection on which nothing is under way, or that the client has ended. */
void farewell_leave(struct connection *connection);

#endif
