/*
 * listening: the addresses that a server was given, all of them or none.
 *
 * Opens the sockets of -bind and -admin-bind, takes over those that were inherited, and says in the
 * log where clients come in. The listener is the caller's. Loop thread. Errors: -errno.
 */
#ifndef ROCHEFORT_HTTP_LISTENING_H
#define ROCHEFORT_HTTP_LISTENING_H

#include <stdbool.h>

struct event_base;
struct evhttp;
struct listener;
struct server_options;

/* `admin_http` serves -admin-bind. If it fails the log says why; `*out`, or NULL, is to be closed
 * then too. */
int listening_start(struct event_base *base, const struct server_options *options,
                    struct evhttp *http, struct evhttp *admin_http, struct listener **out);

/* A line for each address, and a second for one that strangers can reach without a token. */
void listening_log(const struct listener *listener, const struct server_options *options,
                   bool has_tokens);

#endif
