/*
 * connection_steps: what a connection does in each state, step by step, until there is nothing to
 * do.
 *
 * A part of connection (connection.h), called by its owner and when the socket has changed. No
 * errors: a socket that fails, or a client that leaves, ends the connection (connection_closing.h).
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_NET_CONNECTION_STEPS_H
#define ROCHEFORT_NET_CONNECTION_STEPS_H

struct connection;

/* Goes on with what can be done now. */
void connection_run(struct connection *connection);

#endif
