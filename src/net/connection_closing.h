/*
 * connection_closing: the ways in which a connection ends.
 *
 * A part of connection (connection.h): its owner calls these for timeouts, refusals and the end of
 * the server, connection_steps when the socket or the client ends it. Each of them reports `closed`
 * to the owner, at once or after a lingering close.
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_NET_CONNECTION_CLOSING_H
#define ROCHEFORT_NET_CONNECTION_CLOSING_H

#include <stddef.h>

struct connection;

/* Closed in good order: nothing is under way, or the client has ended its side. */
void connection_leave(struct connection *connection);

/* Closes the socket; evhttp has let go already. Nothing happens if it is closed. */
void connection_close(struct connection *connection);

/* Resets the connection, so that the client cannot take what it has for a whole reply. */
void connection_abort(struct connection *connection);

/* Answers a refused request with these bytes, then lingers. */
void connection_refuse(struct connection *connection, const void *bytes, size_t length);

#endif
