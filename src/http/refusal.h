/*
 * refusal: responses to requests that there is no exchange for: those that framing.h refuses, that
 * do not arrive in time, or that there is no memory for.
 *
 * They close the connection. Loop thread. No errors: without memory for the response too the
 * connection is reset.
 */
#ifndef ROCHEFORT_HTTP_REFUSAL_H
#define ROCHEFORT_HTTP_REFUSAL_H

struct connection;
struct connections_refusal;
struct evhttp_request;
struct service;

/* To a request that was refused before evhttp had it. */
void refusal_send(struct service *service, struct connection *connection,
                  const struct connections_refusal *refusal);

/* 503, for a request that there is no exchange for; `connection` may be NULL, see
 * connections_serve. */
void refusal_out_of_memory(struct service *service, struct evhttp_request *request,
                           struct connection *connection);

#endif
