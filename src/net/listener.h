/*
 * listener: the sockets that new clients come in on.
 *
 * All of them, for each address that the server was given: tcp_sockets.h, unix_socket.h. Paused
 * while there is no room for another connection, or for a moment when the process has run out of
 * descriptors; clients then wait in the kernel's backlog.
 *
 * Loop thread; a process has one. Errors: 0 or -errno.
 */
#ifndef ROCHEFORT_NET_LISTENER_H
#define ROCHEFORT_NET_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

struct event_base;
struct evhttp;
struct listener;

#define LISTENER_ADDRESSES_MAX 48
#define LISTENER_SOCKETS_MAX 256

/* Whether it has the form of an address: host:port, :port, [v6]:port or unix:/path. */
bool listener_address_valid(const char *bind);

/* NULL when out of memory. */
struct listener *listener_new(struct event_base *base);

/* Listens on an address too; its clients are served by `http`. `mode`: the permissions of the file
 * of a Unix domain socket. */
int listener_add(struct listener *listener, const char *bind, mode_t mode, struct evhttp *http);

/* The same with a listening socket, non-blocking, which the listener then owns. */
int listener_adopt(struct listener *listener, int fd, struct evhttp *http);

/* Why listener_add could not use the address. */
const char *listener_error_text(const char *bind, int error);

/* Closes the sockets and deletes the files of Unix domain sockets; nobody new comes in. NULL is
 * ignored. Before evhttp_free. */
void listener_close(struct listener *listener);

/* Whether there is room for more connections. */
void listener_allow(struct listener *listener, bool room);

/* The i-th address that was added, as it was asked for, with the real port; NULL after the last. */
const char *listener_name(const struct listener *listener, size_t i);

/* Whether only this machine can connect to it: it is of the loopback, or a Unix domain socket. */
bool listener_is_local(const struct listener *listener, size_t i);

#endif
