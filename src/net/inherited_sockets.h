/*
 * inherited_sockets: listening sockets that a service manager has opened (sd_listen_fds(3)).
 *
 * They are descriptors from 3 on. The caller owns them from then on.
 *
 * Once, before other threads are started. Errors: -errno.
 */
#ifndef ROCHEFORT_NET_INHERITED_SOCKETS_H
#define ROCHEFORT_NET_INHERITED_SOCKETS_H

#define INHERITED_SOCKETS_MAX 16

/*
 * Reads LISTEN_FDS and LISTEN_PID, and takes them out of the environment. Returns how many there
 * are: 0 too if they are for another process. -EINVAL: LISTEN_FDS is not a number up to
 * INHERITED_SOCKETS_MAX. -ENOTSOCK: one is not a listening stream socket.
 */
int inherited_sockets_open(int fds[INHERITED_SOCKETS_MAX]);

#endif
