/*
 * client: one connection to the server that runs in this very thread.
 *
 * Nothing here waits: the server runs one iteration of its loop, then what it
 * has sent is received. So only the timing of the workers differs from run to
 * run.
 */
#ifndef ROCHEFORT_TESTS_CLIENT_H
#define ROCHEFORT_TESTS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct server;

struct client {
    struct server *server;
    int fd;
    bool ended; /* the server has closed */
    bool reset; /* with a reset */
    char *received;
    size_t received_bytes, capacity_bytes;
};

/* The port that the only listening socket of this process is bound to. */
unsigned short client_find_port(void);

void client_connect(struct client *client, struct server *server, unsigned short port);

/* The bytes are lost if the server has closed the connection. */
void client_send(const struct client *client, const void *bytes, size_t length);

/* One iteration of the server's loop, then receives what it has sent. */
void client_iterate(struct client *client);

/* Shuts down the sending side. */
void client_half_close(const struct client *client);

/* Closes, with a reset if asked to. */
void client_close(struct client *client, bool with_reset);

/* The same, and runs the server's loop until it has closed its side too. */
void client_leave(struct client *client, bool with_reset);

#endif
