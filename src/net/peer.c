#include "net/peer.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define PORT_DIGITS_MAX 5
/* Where an address of IPv4 is in its mapped form. */
#define MAPPED_AT 12

static struct in6_addr map(const struct in_addr *four)
{
    struct in6_addr mapped = {.s6_addr = {[10] = UINT8_MAX, [11] = UINT8_MAX}};
    memcpy(mapped.s6_addr + MAPPED_AT, four, sizeof(*four));
    return mapped;
}

struct peer peer_of_socket(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
        struct sockaddr_storage room;
    } name = {.any = {0}};
    socklen_t bytes = sizeof(name);
    if (getpeername(fd, &name.any, &bytes) != 0)
        return (struct peer){.kind = PEER_UNKNOWN};
    switch (name.any.sa_family) {
    case AF_UNIX:
        return (struct peer){.kind = PEER_UNIX};
    case AF_INET:
        return (struct peer){.kind = PEER_ADDRESS, .address = map(&name.four.sin_addr)};
    case AF_INET6:
        return (struct peer){.kind = PEER_ADDRESS, .address = name.six.sin6_addr};
    default:
        return (struct peer){.kind = PEER_UNKNOWN};
    }
}

static bool is_port(const char *text, size_t bytes)
{
    size_t digits = 0;
    while (digits < bytes && text[digits] >= '0' && text[digits] <= '9')
        digits++;
    return bytes > 0 && digits == bytes && digits <= PORT_DIGITS_MAX;
}

/* Takes port and brackets away. False: they are not well-formed. */
static bool take_address(const char **text, size_t *bytes)
{
    const char *first = memchr(*text, ':', *bytes);
    if (*bytes > 0 && **text == '[') {
        const char *end = memchr(*text, ']', *bytes);
        size_t rest = end != NULL ? *bytes - (size_t)(end + 1 - *text) : 0;
        if (end == NULL || (rest > 0 && (end[1] != ':' || !is_port(end + 2, rest - 1))))
            return false;
        *bytes = (size_t)(end - *text) - 1;
        ++*text;
        return memchr(*text, ':', *bytes) != NULL;
    }
    if (first == NULL || memrchr(*text, ':', *bytes) != first)
        return true;
    if (!is_port(first + 1, *bytes - (size_t)(first + 1 - *text)))
        return false;
    *bytes = (size_t)(first - *text);
    return true;
}

bool peer_parse_address(const char *text, size_t bytes, struct peer *out)
{
    char copy[PEER_TEXT_BYTES];
    struct in_addr four;
    if (bytes >= sizeof(copy) || memchr(text, '\0', bytes) != NULL)
        return false;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    struct peer peer = {.kind = PEER_ADDRESS};
    if (inet_pton(AF_INET, copy, &four) == 1)
        peer.address = map(&four);
    else if (inet_pton(AF_INET6, copy, &peer.address) != 1)
        return false;
    *out = peer;
    return true;
}

bool peer_parse(const char *text, size_t bytes, struct peer *out)
{
    return take_address(&text, &bytes) && peer_parse_address(text, bytes, out);
}

const char *peer_write(const struct peer *peer, char out[PEER_TEXT_BYTES])
{
    const void *four = peer->address.s6_addr + MAPPED_AT;
    const char *written = NULL;
    if (peer->kind == PEER_ADDRESS)
        written = IN6_IS_ADDR_V4MAPPED(&peer->address)
                      ? inet_ntop(AF_INET, four, out, PEER_TEXT_BYTES)
                      : inet_ntop(AF_INET6, &peer->address, out, PEER_TEXT_BYTES);
    if (written == NULL)
        (void)snprintf(out, PEER_TEXT_BYTES, "%s", peer->kind == PEER_UNIX ? "unix:" : "-");
    return out;
}
