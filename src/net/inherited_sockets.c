#include "net/inherited_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_DESCRIPTOR 3

/* -1 if it is not a number up to `most`. */
static long read_number(const char *text, long most)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && number <= most ? number
                                                                                            : -1;
}

static int get_option(int fd, int option)
{
    int value = 0;
    socklen_t bytes = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, option, &value, &bytes) == 0 ? value : -1;
}

static int prepare(int fd)
{
    int domain = get_option(fd, SO_DOMAIN);
    if ((domain != AF_UNIX && domain != AF_INET && domain != AF_INET6) ||
        get_option(fd, SO_TYPE) != SOCK_STREAM || get_option(fd, SO_ACCEPTCONN) != 1)
        return -ENOTSOCK;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return -errno;
    return 0;
}

int inherited_sockets_open(int fds[INHERITED_SOCKETS_MAX])
{
    const char *count_text = getenv("LISTEN_FDS"), *process = getenv("LISTEN_PID");
    if (count_text == NULL || process == NULL || read_number(process, INT32_MAX) != getpid())
        return 0;
    long count = read_number(count_text, INHERITED_SOCKETS_MAX);
    if (count < 0)
        return -EINVAL;
    for (long i = 0; i < count; i++) {
        fds[i] = FIRST_DESCRIPTOR + (int)i;
        int error = prepare(fds[i]);
        if (error != 0)
            return error;
    }
    (void)unsetenv("LISTEN_FDS"); /* fails only for names that are none */
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDNAMES");
    return (int)count;
}
