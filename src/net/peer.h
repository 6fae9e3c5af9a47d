/*
 * peer: the address of a client, as a socket or a header line tells it.
 *
 * Addresses of IPv4 are kept, compared and read in their IPv6-mapped form too, and always written
 * in their own. Ports are dropped.
 *
 * Any thread. No errors: what has no address is PEER_UNKNOWN.
 */
#ifndef ROCHEFORT_NET_PEER_H
#define ROCHEFORT_NET_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#define PEER_TEXT_BYTES INET6_ADDRSTRLEN

struct peer {
    enum { PEER_UNKNOWN, PEER_UNIX, PEER_ADDRESS } kind;
    struct in6_addr address;
};

/* Of a connected socket. */
struct peer peer_of_socket(int fd);

/* "192.0.2.1" or "2001:db8::1". False: it is neither. */
bool peer_parse_address(const char *text, size_t bytes, struct peer *out);

/* The same, or "192.0.2.1:80", "[2001:db8::1]" or "[2001:db8::1]:80". */
bool peer_parse(const char *text, size_t bytes, struct peer *out);

/* The address; "unix:", or "-" if it is not known. Returns `out`. */
const char *peer_write(const struct peer *peer, char out[PEER_TEXT_BYTES]);

#endif
