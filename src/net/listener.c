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
#include "net/tcp_sockets.h"
#include "net/unix_socket.h"

#define NAME_BYTES_MAX 300
#define PORT_TEXT_BYTES 8
/* How long accepting rests after the process has run out of descriptors. */
#define REST_MS 100

struct address {
    char name[NAME_BYTES_MAX];
    size_t begin, end; /* its sockets */
};

struct bound {
    struct evhttp *http; /* that serves its clients */
    struct evhttp_bound_socket *socket;
};

struct listener {
    struct event_base *base;
    struct bound bound[LISTENER_SOCKETS_MAX];
    size_t count;
    struct unix_socket files[LISTENER_ADDRESSES_MAX];
    size_t files_count;
    struct event *rest; /* pending while accepting rests */
    bool room, resting;
    struct address addresses[LISTENER_ADDRESSES_MAX];
    size_t addresses_count;
};

/* evhttp takes the argument of the listeners' callbacks for itself; a process has one listener. */
static struct listener *the_listener;

static void apply(struct listener *listener)
{
    bool accept_more = listener->room && !listener->resting;
    for (size_t i = 0; i < listener->count; i++) {
        struct evconnlistener *socket = evhttp_bound_socket_get_listener(listener->bound[i].socket);
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
static int add_socket(struct listener *listener, struct evhttp *http, int fd)
{
    struct evconnlistener *socket =
        listener->count < LISTENER_SOCKETS_MAX
            ? evconnlistener_new(listener->base, NULL, listener,
                                 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd)
            : NULL;
    if (socket == NULL) {
        (void)close(fd);
        return -ENOMEM;
    }
    struct evhttp_bound_socket *bound = evhttp_bind_listener(http, socket);
    if (bound == NULL) {
        evconnlistener_free(socket);
        return -ENOMEM;
    }
    evconnlistener_set_error_cb(socket, on_accept_error);
    listener->bound[listener->count++] = (struct bound){.http = http, .socket = bound};
    return 0;
}

bool listener_address_valid(const char *bind)
{
    return unix_socket_named(bind) ? unix_socket_valid(bind) : tcp_sockets_valid(bind);
}

struct listener *listener_new(struct event_base *base)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL)
        return NULL;
    listener->base = base;
    listener->room = true;
    listener->rest = evtimer_new(base, on_rested, listener);
    if (listener->rest == NULL) {
        free(listener);
        return NULL;
    }
    the_listener = listener;
    return listener;
}

static int add_unix(struct listener *listener, struct evhttp *http, const char *bind, mode_t mode,
                    struct address *address)
{
    int fd = unix_socket_open(bind, mode, &listener->files[listener->files_count]);
    if (fd < 0)
        return fd;
    listener->files_count++;
    (void)snprintf(address->name, sizeof(address->name), "%s", bind);
    return add_socket(listener, http, fd);
}

static int add_tcp(struct listener *listener, struct evhttp *http, const char *bind,
                   struct address *address)
{
    int fds[TCP_SOCKETS_MAX];
    size_t count;
    int port = tcp_sockets_open(bind, fds, &count);
    if (port < 0)
        return port;
    (void)snprintf(address->name, sizeof(address->name), "%.*s:%d",
                   (int)(strrchr(bind, ':') - bind), bind, port);
    int error = 0;
    for (size_t i = 0; i < count; i++) {
        if (error == 0)
            error = add_socket(listener, http, fds[i]);
        else
            (void)close(fds[i]);
    }
    return error;
}

int listener_add(struct listener *listener, const char *bind, mode_t mode, struct evhttp *http)
{
    if (listener->addresses_count == LISTENER_ADDRESSES_MAX)
        return -ENOMEM;
    struct address *address = &listener->addresses[listener->addresses_count];
    address->begin = listener->count;
    int error = unix_socket_named(bind) ? add_unix(listener, http, bind, mode, address)
                                        : add_tcp(listener, http, bind, address);
    address->end = listener->count;
    listener->addresses_count += error == 0;
    return error;
}

/* As -bind would have it. */
static int name_socket(int fd, char name[NAME_BYTES_MAX])
{
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_in6 ipv6;
    } address = {.any = {0}};
    socklen_t bytes = sizeof(address);
    char host[INET6_ADDRSTRLEN], port[PORT_TEXT_BYTES];
    if (getsockname(fd, &address.any, &bytes) != 0)
        return -errno;
    if (address.any.sa_family == AF_UNIX) {
        bool abstract = address.local.sun_path[0] == '\0';
        (void)snprintf(name, NAME_BYTES_MAX, "unix:%s%.*s", abstract ? "@" : "",
                       (int)(sizeof(address.local.sun_path) - 1),
                       address.local.sun_path + abstract);
        return 0;
    }
    if (getnameinfo(&address.any, bytes, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return -EINVAL;
    (void)snprintf(name, NAME_BYTES_MAX, address.any.sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
                   host, port);
    return 0;
}

static void set_tcp_options(int fd)
{
    static const int on = 1;
    /* Neither is needed for a right answer; accepted sockets inherit them. */
    if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
        log_line("setsockopt: %s", strerror(errno));
}

int listener_adopt(struct listener *listener, int fd, struct evhttp *http)
{
    struct address *address = &listener->addresses[listener->addresses_count];
    int error = listener->addresses_count < LISTENER_ADDRESSES_MAX ? name_socket(fd, address->name)
                                                                   : -ENOMEM;
    if (error != 0) {
        (void)close(fd);
        return error;
    }
    if (!unix_socket_named(address->name))
        set_tcp_options(fd);
    address->begin = listener->count;
    error = add_socket(listener, http, fd);
    address->end = listener->count;
    listener->addresses_count += error == 0;
    return error;
}

const char *listener_error_text(const char *bind, int error)
{
    if (unix_socket_named(bind) && error == -EADDRINUSE)
        return "another program listens on it";
    if (unix_socket_named(bind) && error == -ENOTSOCK)
        return "a file of that name exists that is not a socket; it is left as it is";
    if (unix_socket_named(bind) && error == -EWOULDBLOCK)
        return "another server that is starting has locked its directory";
    return strerror(-error);
}

void listener_close(struct listener *listener)
{
    if (listener == NULL)
        return;
    /* First the names: a client must not find one that nobody listens on. */
    for (size_t i = 0; i < listener->files_count; i++)
        unix_socket_remove(&listener->files[i]);
    for (size_t i = 0; i < listener->count; i++)
        evhttp_del_accept_socket(listener->bound[i].http, listener->bound[i].socket);
    event_free(listener->rest);
    the_listener = NULL;
    free(listener);
}

void listener_allow(struct listener *listener, bool room)
{
    if (listener->room == room)
        return;
    listener->room = room;
    apply(listener);
}

const char *listener_name(const struct listener *listener, size_t i)
{
    return i < listener->addresses_count ? listener->addresses[i].name : NULL;
}

/* A Unix domain socket too. */
static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_UNIX)
        return true;
    const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;
    if (address->ss_family == AF_INET)
        return ntohl(four->sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
    return address->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

bool listener_is_local(const struct listener *listener, size_t i)
{
    for (size_t k = listener->addresses[i].begin; k < listener->addresses[i].end; k++) {
        struct sockaddr_storage address = {0};
        socklen_t bytes = sizeof(address);
        int fd = evhttp_bound_socket_get_fd(listener->bound[k].socket);
        if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0 || !is_loopback(&address))
            return false;
    }
    return true;
}
