#include "net/tcp_sockets.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define PORT_TEXT_BYTES 8
/* When port 0 was asked for and the port that one address got is taken on another. */
#define PORT_TRIES 16

struct address {
    char host[256]; /* "" stands for all */
    char port[PORT_TEXT_BYTES];
};

static int parse_address(const char *bind, struct address *address)
{
    const char *colon = strrchr(bind, ':');
    if (colon == NULL)
        return -EINVAL;
    const char *host = bind, *end = colon;
    if (*host == '[') {
        host++;
        if (end == bind || *--end != ']')
            return -EINVAL;
    } else if (memchr(bind, ':', (size_t)(colon - bind)) != NULL) {
        return -EINVAL; /* an IPv6 address without brackets */
    }
    size_t digits = strspn(colon + 1, "0123456789");
    if (digits == 0 || digits > 5 || colon[1 + digits] != '\0' || atoi(colon + 1) > 65535)
        return -EINVAL;
    if (end < host || (size_t)(end - host) >= sizeof(address->host))
        return -EINVAL;
    memcpy(address->host, host, (size_t)(end - host));
    address->host[end - host] = '\0';
    memcpy(address->port, colon + 1, digits + 1);
    return 0;
}

bool tcp_sockets_valid(const char *bind)
{
    struct address address;
    return parse_address(bind, &address) == 0;
}

static void set_option(int fd, int level, int option, int value)
{
    /* None of them is needed for a right answer. */
    if (setsockopt(fd, level, option, &value, sizeof(value)) != 0)
        log_line("setsockopt %d: %s", option, strerror(errno));
}

/* A listening socket, or -errno. Accepted sockets inherit the options. */
static int open_socket(const struct addrinfo *info, unsigned port)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    struct sockaddr_storage address;
    memcpy(&address, info->ai_addr, info->ai_addrlen);
    if (info->ai_family == AF_INET6) {
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1); /* IPv4 has a socket of its own */
        ((struct sockaddr_in6 *)&address)->sin6_port = htons((uint16_t)port);
    } else {
        ((struct sockaddr_in *)&address)->sin_port = htons((uint16_t)port);
    }
    if (bind(fd, (struct sockaddr *)&address, info->ai_addrlen) != 0 ||
        listen(fd, SOMAXCONN) != 0) {
        int error = -errno;
        (void)close(fd);
        return error;
    }
    return fd;
}

/* The port that a socket is bound to, or -errno. */
static int bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in6 ipv6; /* the largest */
        struct sockaddr_in ipv4;
    } address = {.ipv6 = {0}};
    socklen_t bytes = sizeof(address);
    if (getsockname(fd, &address.any, &bytes) != 0)
        return -errno;
    return ntohs(address.any.sa_family == AF_INET6 ? address.ipv6.sin6_port
                                                   : address.ipv4.sin_port);
}

static void close_sockets(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)close(fds[i]);
}

/*
 * Opens a socket for each address, all on `port` or, if that is 0, on one that is free for all.
 * Answers the port, or -errno. An address family that this machine does not have is passed over
 * as long as another one works.
 */
static int open_sockets(const struct addrinfo *infos, int port, int fds[TCP_SOCKETS_MAX],
                        size_t *count)
{
    int error = -EADDRNOTAVAIL;
    *count = 0;
    for (const struct addrinfo *info = infos; info != NULL && *count < TCP_SOCKETS_MAX;
         info = info->ai_next) {
        int fd = open_socket(info, (unsigned)port);
        if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
            continue;
        if (fd >= 0)
            fds[(*count)++] = fd;
        if (fd >= 0 && port == 0)
            port = bound_port(fd);
        if (fd < 0 || port < 0) {
            close_sockets(fds, *count);
            return fd < 0 ? fd : port;
        }
    }
    return *count > 0 ? port : error;
}

int tcp_sockets_open(const char *bind, int fds[TCP_SOCKETS_MAX], size_t *count)
{
    struct address address;
    int error = parse_address(bind, &address);
    if (error != 0)
        return error;
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                             .ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *infos;
    if (getaddrinfo(address.host[0] != '\0' ? address.host : NULL, address.port, &hints, &infos) !=
        0)
        return -EADDRNOTAVAIL;
    int wanted = atoi(address.port), port = -EADDRINUSE;
    for (int tries = 0; port == -EADDRINUSE && tries < (wanted == 0 ? PORT_TRIES : 1); tries++)
        port = open_sockets(infos, wanted, fds, count);
    freeaddrinfo(infos);
    return port;
}
