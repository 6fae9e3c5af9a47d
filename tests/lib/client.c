#include "lib/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/server.h"

/* Those of the server with two clients and the few files that an input can open. */
#define DESCRIPTORS_SEARCHED 128
#define RECEIVE_BYTES (64 * 1024)
/* The longest reply: as many offsets as fit into the longest input, each of the longest value. */
#define RECEIVED_BYTES_MAX (64 * 1024 * 1024)

static void need(int good, const char *what)
{
    if (good)
        return;
    perror(what);
    abort();
}

unsigned short client_find_port(void)
{
    for (int fd = 0; fd < DESCRIPTORS_SEARCHED; fd++) {
        int listens = 0;
        socklen_t bytes = sizeof(listens);
        struct sockaddr_in address = {0};
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes) != 0 || !listens)
            continue;
        bytes = sizeof(address);
        need(getsockname(fd, (struct sockaddr *)&address, &bytes) == 0, "getsockname");
        return ntohs(address.sin_port);
    }
    abort();
}

/* The server's end of the connection; -1 if it is closed already. */
static int find_peer(const struct client *client)
{
    struct sockaddr_in own = {0}, address = {0};
    socklen_t bytes = sizeof(own);
    need(getsockname(client->fd, (struct sockaddr *)&own, &bytes) == 0, "getsockname");
    for (int fd = 0; fd < DESCRIPTORS_SEARCHED; fd++) {
        bytes = sizeof(address);
        if (getpeername(fd, (struct sockaddr *)&address, &bytes) == 0 &&
            address.sin_port == own.sin_port)
            return fd;
    }
    return -1;
}

void client_connect(struct client *client, struct server *server, unsigned short port)
{
    const int yes = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    client->server = server;
    client->ended = client->reset = false;
    client->received_bytes = 0;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(client->fd >= 0, "socket");
    need(setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) == 0, "setsockopt");
    /* the kernel completes the handshake, so this does not wait for the server */
    if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return;
    need(errno == EINTR, "connect"); /* by the fuzzer's timer; the kernel goes on connecting */
    struct pollfd poll_fd = {.fd = client->fd, .events = POLLOUT};
    while (poll(&poll_fd, 1, -1) < 0)
        need(errno == EINTR, "poll");
}

void client_send(const struct client *client, const void *bytes, size_t length)
{
    ssize_t sent = send(client->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
        return;
    need(sent == (ssize_t)length, "send"); /* an input is smaller than a socket's buffer */
}

static void receive(struct client *client)
{
    while (!client->ended) {
        if (client->capacity_bytes - client->received_bytes < RECEIVE_BYTES) {
            client->capacity_bytes = 2 * client->capacity_bytes + RECEIVE_BYTES;
            need(client->capacity_bytes < RECEIVED_BYTES_MAX, "a reply without end");
            char *larger = realloc(client->received, client->capacity_bytes);
            need(larger != NULL, "realloc");
            client->received = larger;
        }
        ssize_t got = recv(client->fd, client->received + client->received_bytes, RECEIVE_BYTES,
                           MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        need(got >= 0 || errno == ECONNRESET, "recv");
        client->ended = got <= 0;
        client->reset = got < 0;
        if (got > 0)
            client->received_bytes += (size_t)got;
    }
}

void client_iterate(struct client *client)
{
    size_t before = client->received_bytes;
    server_iterate(client->server, false);
    receive(client);
    if (client->received_bytes == before && !client->ended)
        (void)sched_yield(); /* a worker has it */
}

void client_half_close(const struct client *client)
{
    need(shutdown(client->fd, SHUT_WR) == 0 || errno == ENOTCONN, "shutdown");
}

void client_close(struct client *client, bool with_reset)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    need(!with_reset ||
             setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0,
         "setsockopt");
    need(close(client->fd) == 0, "close");
    client->fd = -1;
}

void client_leave(struct client *client, bool with_reset)
{
    struct stat before, now;
    client_iterate(client); /* it may not be accepted yet */
    int peer = find_peer(client);
    need(peer < 0 || fstat(peer, &before) == 0, "fstat");
    client_close(client, with_reset);
    /* a worker may open a file with the same descriptor */
    while (peer >= 0 && fstat(peer, &now) == 0 && now.st_ino == before.st_ino)
        server_iterate(client->server, false);
}
