/*
 * trusted_proxies: whose word is taken for who the client is.
 *
 * A proxy adds the address that a request came from to X-Forwarded-For, at its end. So the line is
 * read from its end, and as far only as trusted proxies have written it: the first address that is
 * none of theirs is the client's. Everything before it is what the client itself has sent.
 *
 * Loop thread; constant once the options are read. Errors: -errno.
 */
#ifndef ROCHEFORT_NET_TRUSTED_PROXIES_H
#define ROCHEFORT_NET_TRUSTED_PROXIES_H

#include <stdbool.h>
#include <stddef.h>

#include "net/peer.h"

#define TRUSTED_PROXIES_MAX 64
#define TRUSTED_PROXIES_HEADER "X-Forwarded-For"

/* Zeroed: nobody is trusted. */
struct trusted_proxies {
    struct {
        struct in6_addr address;
        unsigned bits; /* of these so many */
    } networks[TRUSTED_PROXIES_MAX];
    size_t count;
    bool unix_too; /* all who connect to a Unix domain socket */
};

/* ADDRESS, ADDRESS/BITS or "unix". -EINVAL: it is none of these; -ENOSPC: there are too many. */
int trusted_proxies_add(struct trusted_proxies *proxies, const char *text);

/* Whether there are any. */
bool trusted_proxies_any(const struct trusted_proxies *proxies);

bool trusted_proxies_has(const struct trusted_proxies *proxies, const struct peer *peer);

/*
 * Follows one header line, the last first: `client` is whom the connection, or the line after it,
 * comes from, and becomes whom this line names. False: that is the client, do not go on; so it is
 * if it is not trusted, or what it has sent is no address.
 */
bool trusted_proxies_follow(const struct trusted_proxies *proxies, const char *value,
                            struct peer *client);

#endif
