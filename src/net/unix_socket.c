#include "net/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

/* Until the file has the permissions that were asked for. */
#define MODE_AT_FIRST (S_IRUSR | S_IWUSR)

/* Others hold the lock of the directory for as long as a bind takes: two seconds are enough. */
#define LOCK_TRIES_MAX 200
#define LOCK_PAUSE_NS 10000000

bool unix_socket_named(const char *bind)
{
    return strncmp(bind, UNIX_SOCKET_SCHEME, strlen(UNIX_SOCKET_SCHEME)) == 0;
}

bool unix_socket_valid(const char *bind)
{
    if (!unix_socket_named(bind))
        return false;
    size_t bytes = strlen(bind) - strlen(UNIX_SOCKET_SCHEME);
    return bytes > 0 && bytes < sizeof(((struct sockaddr_un *)0)->sun_path);
}

/* 0: nobody listens on this socket any more. */
static int check_stale(const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode))
        return -ENOTSOCK;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error =
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? EADDRINUSE : errno;
    (void)close(fd);
    if (error == ECONNREFUSED || error == ENOENT)
        return 0;
    /* EAGAIN: its backlog is full; EPROTOTYPE: it is of another type, and in use. */
    return error == EAGAIN || error == EPROTOTYPE ? -EADDRINUSE : -error;
}

static int bind_socket(int fd, const struct sockaddr_un *address)
{
    const struct sockaddr *any = (const struct sockaddr *)address;
    if (bind(fd, any, sizeof(*address)) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return -errno;
    int error = check_stale(address);
    if (error != 0)
        return error;
    if (unlink(address->sun_path) != 0 && errno != ENOENT)
        return -errno;
    return bind(fd, any, sizeof(*address)) == 0 ? 0 : -errno;
}

/*
 * Locks the directory, so that of two servers that find a stale socket at the same time one does
 * not remove the new one of the other, which does not listen yet. Answers a descriptor, or -1 if it
 * may not be read: then nothing keeps them apart. Or -EWOULDBLOCK: another has it for too long.
 */
static int lock_directory(const struct sockaddr_un *address)
{
    char path[sizeof(address->sun_path) + 1];
    memcpy(path, address->sun_path, sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    int fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
        bool held = errno == EWOULDBLOCK;
        if (!held || tries == LOCK_TRIES_MAX) {
            (void)close(fd);
            return held ? -EWOULDBLOCK : -1;
        }
        (void)nanosleep(&pause, NULL);
    }
    return fd;
}

/* `mode` comes before listen(2): until then nobody can connect. */
static int make_file(int fd, mode_t mode, const struct sockaddr_un *address,
                     struct unix_socket *out)
{
    struct stat status;
    /* The file takes its permissions from the socket. */
    if (fchmod(fd, MODE_AT_FIRST) != 0)
        return -errno;
    int error = bind_socket(fd, address);
    if (error != 0)
        return error;
    if (lstat(address->sun_path, &status) != 0)
        return -errno;
    memcpy(out->path, address->sun_path, sizeof(out->path));
    out->device = status.st_dev;
    out->inode = status.st_ino;
    if (chmod(address->sun_path, mode) != 0 || listen(fd, SOMAXCONN) != 0) {
        error = -errno;
        unix_socket_remove(out);
    }
    return error;
}

int unix_socket_open(const char *bind, mode_t mode, struct unix_socket *out)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!unix_socket_valid(bind))
        return -EINVAL;
    const char *path = bind + strlen(UNIX_SOCKET_SCHEME);
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int lock = lock_directory(&address);
    int error = lock == -EWOULDBLOCK ? lock : make_file(fd, mode, &address, out);
    if (lock >= 0)
        (void)close(lock);
    if (error == 0)
        return fd;
    (void)close(fd);
    return error;
}

void unix_socket_remove(const struct unix_socket *socket)
{
    struct stat status;
    if (lstat(socket->path, &status) != 0 || status.st_dev != socket->device ||
        status.st_ino != socket->inode)
        return;
    if (unlink(socket->path) != 0)
        log_line("cannot remove the socket %s: %s", socket->path, strerror(errno));
}
