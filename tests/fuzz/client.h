/*
 * client: one connection to the server that runs in this very thread.
 *
 * Nothing here waits: the server gets a turn of its loop, then what it has
 * sent is taken. So a run is the same each time, but for what its workers do
 * meanwhile.
 */
#ifndef ROCHEFORT_TESTS_FUZZ_CLIENT_H
#define ROCHEFORT_TESTS_FUZZ_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct server;

struct client {
    struct server *server;
    int fd;
    bool ended; /* the server has closed */
    bool reset; /* and not in good order */
    char *received;
    size_t received_bytes, capacity_bytes;
};

/* The port that the only listening socket of this process is bound to. */
unsigned short client_find_port(void);

void client_connect(struct client *client, struct server *server, unsigned short port);

/* The server may be gone, then the bytes are lost. */
void client_send(const struct client *client, const void *bytes, size_t length);

/* A turn of the server, then takes what it has sent. */
void client_turn(struct client *client);

/* Says that no more will be sent. */
void client_half_close(const struct client *client);

/* Closes, with a reset if it should look like a crash. */
void client_close(struct client *client, bool with_reset);

/* The same, and gives the server turns until it has closed its side too. */
void client_leave(struct client *client, bool with_reset);

#endif
