/*
 * listener: the sockets that new clients come in on.
 *
 * One for each address the name stands for. Paused while there is no room for
 * another connection, or for a moment when the process has run out of
 * descriptors; clients then wait in the kernel's backlog.
 *
 * Loop thread. Errors: 0 or -errno.
 */
#ifndef ROCHEFORT_NET_LISTENER_H
#define ROCHEFORT_NET_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct evhttp;
struct listener;

/* Whether it has the form of an address. */
bool listener_address_valid(const char *bind);

/*
 * Binds "host:port", ":port" (all addresses, IPv4 and IPv6) or "[v6]:port"; port 0 picks a free
 * one, the same for all addresses. -EINVAL: not of that form. -EADDRNOTAVAIL: unknown host.
 */
int listener_open(const char *bind, struct event_base *base, struct evhttp *http,
                  struct listener **out);

/* Closes the sockets; nobody new comes in. NULL is ignored. Before evhttp_free. */
void listener_close(struct listener *listener);

/* Whether there is room for more connections. */
void listener_allow(struct listener *listener, bool room);

/* Whether only this machine can connect: each address is one of the loopback. */
bool listener_is_local(const struct listener *listener);

/* The address as it was asked for, with the real port. */
const char *listener_name(const struct listener *listener);

#endif
