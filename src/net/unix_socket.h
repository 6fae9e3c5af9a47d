/*
 * unix_socket: a listening Unix domain socket, and its file.
 *
 * A file that a server has left behind is replaced: only if it is a socket that nobody listens on.
 * Of servers that are started at the same moment under one name one gets it: each locks the
 * directory while it makes its file. A directory that may not be read cannot be locked.
 *
 * The caller owns what is opened. Any thread. Errors: -errno.
 */
#ifndef ROCHEFORT_NET_UNIX_SOCKET_H
#define ROCHEFORT_NET_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#define UNIX_SOCKET_SCHEME "unix:"

struct unix_socket {
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    dev_t device; /* of the file */
    ino_t inode;
};

/* Whether it begins as the name of one does. */
bool unix_socket_named(const char *bind);

/* Whether it is "unix:" and a path that fits into an address: of at most 107 bytes. */
bool unix_socket_valid(const char *bind);

/*
 * Answers the descriptor. The file has the permissions `mode`, and never more than those of its
 * owner before. -EADDRINUSE: a server listens on it. -ENOTSOCK: the file is something else.
 * -EWOULDBLOCK: another holds the lock of its directory, also after two seconds.
 */
int unix_socket_open(const char *bind, mode_t mode, struct unix_socket *out);

/* Deletes the file, if it is still the one that was made. */
void unix_socket_remove(const struct unix_socket *socket);

#endif
