/*
 * tcp_sockets: listening TCP sockets, one for each address that a name stands for.
 *
 * The caller owns the descriptors. Any thread. Errors: -errno.
 */
#ifndef ROCHEFORT_NET_TCP_SOCKETS_H
#define ROCHEFORT_NET_TCP_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#define TCP_SOCKETS_MAX 8

/* Whether it is "host:port", ":port" (all addresses, IPv4 and IPv6) or "[v6]:port". */
bool tcp_sockets_valid(const char *bind);

/*
 * Answers the port; port 0 picks a free one, the same for all addresses. -EINVAL: not of that form.
 * -EADDRNOTAVAIL: unknown host.
 */
int tcp_sockets_open(const char *bind, int fds[TCP_SOCKETS_MAX], size_t *count);

#endif
