#include "net/trusted_proxies.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define UNIX "unix"
#define BITS_MAX 128
#define BITS_OF_IPV4 32
#define BITS_DIGITS_MAX 3

/* The whole text is a number of at most `most`. */
static bool parse_bits(const char *text, unsigned most, unsigned *out)
{
    size_t digits = strspn(text, "0123456789");
    unsigned bits = 0;
    if (digits == 0 || digits > BITS_DIGITS_MAX || text[digits] != '\0')
        return false;
    for (size_t i = 0; i < digits; i++)
        bits = bits * 10 + (unsigned)(text[i] - '0');
    *out = bits;
    return bits <= most;
}

int trusted_proxies_add(struct trusted_proxies *proxies, const char *text)
{
    struct peer peer;
    if (strcmp(text, UNIX) == 0) {
        proxies->unix_too = true;
        return 0;
    }
    size_t bytes = strcspn(text, "/");
    bool six = memchr(text, ':', bytes) != NULL;
    unsigned most = six ? BITS_MAX : BITS_OF_IPV4, bits = most;
    /* "192.0.2.1:80" and "[::1]" are addresses in a header line only */
    if (!peer_parse_address(text, bytes, &peer) ||
        (text[bytes] == '/' && !parse_bits(text + bytes + 1, most, &bits)))
        return -EINVAL;
    if (proxies->count == TRUSTED_PROXIES_MAX)
        return -ENOSPC;
    proxies->networks[proxies->count].address = peer.address;
    proxies->networks[proxies->count++].bits = bits + BITS_MAX - most;
    return 0;
}

bool trusted_proxies_any(const struct trusted_proxies *proxies)
{
    return proxies->count > 0 || proxies->unix_too;
}

static bool same_network(const struct in6_addr *one, const struct in6_addr *other, unsigned bits)
{
    size_t whole = bits / CHAR_BIT;
    if (memcmp(one, other, whole) != 0)
        return false;
    unsigned rest = bits % CHAR_BIT;
    return rest == 0 || (one->s6_addr[whole] ^ other->s6_addr[whole]) >> (CHAR_BIT - rest) == 0;
}

bool trusted_proxies_has(const struct trusted_proxies *proxies, const struct peer *peer)
{
    if (peer->kind == PEER_UNIX)
        return proxies->unix_too;
    for (size_t i = 0; peer->kind == PEER_ADDRESS && i < proxies->count; i++)
        if (same_network(&proxies->networks[i].address, &peer->address, proxies->networks[i].bits))
            return true;
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

bool trusted_proxies_follow(const struct trusted_proxies *proxies, const char *value,
                            struct peer *client)
{
    const char *end = value + strlen(value);
    while (trusted_proxies_has(proxies, client)) {
        while (end > value && (is_space(end[-1]) || end[-1] == ','))
            end--;
        if (end == value)
            return true;
        const char *comma = memrchr(value, ',', (size_t)(end - value));
        const char *begin = comma != NULL ? comma + 1 : value;
        while (is_space(*begin))
            begin++;
        if (!peer_parse(begin, (size_t)(end - begin), client))
            return false;
        end = comma != NULL ? comma : value;
    }
    return false;
}
