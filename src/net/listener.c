#include "net/listener.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define SOCKETS_MAX 8
#define NAME_BYTES_MAX 300
#define PORT_TEXT_BYTES 8
/* When port 0 was asked for and the port that one address got is taken on another. */
#define PORT_TRIES 16
/* How long accepting rests after the process has run out of descriptors. */
#define REST_MS 100

struct listener {
    struct evhttp *http;
    struct evhttp_bound_socket *sockets[SOCKETS_MAX];
    size_t count;
    struct event *rest; /* pending while accepting rests */
    bool room, resting;
    char name[NAME_BYTES_MAX];
};

/* evhttp takes the argument of the listeners' callbacks for itself; a process has one listener. */
static struct listener *the_listener;

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

bool listener_address_valid(const char *bind)
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
static int open_sockets(const struct addrinfo *infos, int port, int fds[SOCKETS_MAX], size_t *count)
{
    int error = -EADDRNOTAVAIL;
    *count = 0;
    for (const struct addrinfo *info = infos; info != NULL && *count < SOCKETS_MAX;
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

static int open_all(const struct address *address, int fds[SOCKETS_MAX], size_t *count)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                             .ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *infos;
    if (getaddrinfo(address->host[0] != '\0' ? address->host : NULL, address->port, &hints,
                    &infos) != 0)
        return -EADDRNOTAVAIL;
    int wanted = atoi(address->port), port = -EADDRINUSE;
    for (int tries = 0; port == -EADDRINUSE && tries < (wanted == 0 ? PORT_TRIES : 1); tries++)
        port = open_sockets(infos, wanted, fds, count);
    freeaddrinfo(infos);
    return port;
}

static void apply(struct listener *listener)
{
    bool accept_more = listener->room && !listener->resting;
    for (size_t i = 0; i < listener->count; i++) {
        struct evconnlistener *socket = evhttp_bound_socket_get_listener(listener->sockets[i]);
        if ((accept_more ? evconnlistener_enable(socket) : evconnlistener_disable(socket)) != 0)
            log_line("cannot %s accepting", accept_more ? "resume" : "pause");
    }
}

static void on_rested(evutil_socket_t fd, short what, void *argument)
{
    struct listener *listener = argument;
    (void)fd;
    (void)what;
    listener->resting = false;
    apply(listener);
}

/* Most likely out of descriptors. The backlog stays readable, so without a rest this would spin. */
static void on_accept_error(struct evconnlistener *socket, void *argument)
{
    struct listener *listener = the_listener;
    (void)socket;
    (void)argument;
    static const struct timeval rest = {.tv_usec = REST_MS * 1000};
    log_line("accept: %s; resting for %d ms", strerror(errno), REST_MS);
    if (event_add(listener->rest, &rest) != 0)
        return;
    listener->resting = true;
    apply(listener);
}

/* Takes the descriptor over. */
static int add_socket(struct listener *listener, struct event_base *base, int fd)
{
    struct evconnlistener *socket = evconnlistener_new(
        base, NULL, listener, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (socket == NULL) {
        (void)close(fd);
        return -ENOMEM;
    }
    struct evhttp_bound_socket *bound = evhttp_bind_listener(listener->http, socket);
    if (bound == NULL) {
        evconnlistener_free(socket);
        return -ENOMEM;
    }
    evconnlistener_set_error_cb(socket, on_accept_error);
    listener->sockets[listener->count++] = bound;
    return 0;
}

int listener_open(const char *bind, struct event_base *base, struct evhttp *http,
                  struct listener **out)
{
    struct address address;
    int fds[SOCKETS_MAX];
    size_t count;
    int error = parse_address(bind, &address);
    if (error != 0)
        return error;
    struct listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL)
        return -ENOMEM;
    listener->http = http;
    listener->room = true;
    listener->rest = evtimer_new(base, on_rested, listener);
    int port = listener->rest != NULL ? open_all(&address, fds, &count) : -ENOMEM;
    if (port < 0) {
        listener_close(listener);
        return port;
    }
    (void)snprintf(listener->name, sizeof(listener->name), "%.*s:%d",
                   (int)(strrchr(bind, ':') - bind), bind, port);
    for (size_t i = 0; i < count; i++) {
        if (error == 0)
            error = add_socket(listener, base, fds[i]);
        else
            (void)close(fds[i]);
    }
    if (error != 0) {
        listener_close(listener);
        return error;
    }
    *out = the_listener = listener;
    return 0;
}

void listener_close(struct listener *listener)
{
    if (listener == NULL)
        return;
    for (size_t i = 0; i < listener->count; i++)
        evhttp_del_accept_socket(listener->http, listener->sockets[i]);
    if (listener->rest != NULL)
        event_free(listener->rest);
    free(listener);
}

void listener_allow(struct listener *listener, bool room)
{
    if (listener->room == room)
        return;
    listener->room = room;
    apply(listener);
}

const char *listener_name(const struct listener *listener)
{
    return listener->name;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;
    if (address->ss_family == AF_INET)
        return ntohl(four->sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
    return address->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

bool listener_is_local(const struct listener *listener)
{
    for (size_t i = 0; i < listener->count; i++) {
        struct sockaddr_storage address = {0};
        socklen_t bytes = sizeof(address);
        int fd = evhttp_bound_socket_get_fd(listener->sockets[i]);
        if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0 || !is_loopback(&address))
            return false;
    }
    return true;
}
