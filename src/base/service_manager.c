#include "base/service_manager.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define MESSAGE_BYTES_MAX 64
#define US_PER_SECOND 1000000

static struct {
    int fd; /* -1: none */
    struct sockaddr_un address;
    socklen_t address_bytes;
    uint64_t watchdog_us;
    atomic_bool failed;
} manager = {.fd = -1};

static int open_socket(const char *name)
{
    size_t bytes = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || bytes < 2 ||
        bytes > sizeof(manager.address.sun_path) - 1)
        return -EINVAL;
    manager.address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(manager.address.sun_path, name, bytes);
    if (name[0] == '@')
        manager.address.sun_path[0] = '\0'; /* the name of an abstract socket begins so */
    manager.address_bytes =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes + (name[0] == '/'));
    manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return manager.fd >= 0 ? 0 : -errno;
}

/* 0 if the variable is not there. */
static int read_number(const char *name, uint64_t *out)
{
    const char *text = getenv(name);
    char *end;
    *out = 0;
    if (text == NULL)
        return 0;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        return -EINVAL;
    *out = number;
    return 0;
}

int service_manager_open(void)
{
    const char *name = getenv("NOTIFY_SOCKET");
    uint64_t watchdog_us, watched;
    if (name == NULL)
        return 0;
    int error = read_number("WATCHDOG_USEC", &watchdog_us);
    if (error == 0)
        error = read_number("WATCHDOG_PID", &watched);
    if (error == 0)
        error = open_socket(name);
    if (error != 0)
        return error;
    /* It may be meant for the shell that this was started from. */
    manager.watchdog_us = watched == 0 || watched == (uint64_t)getpid() ? watchdog_us : 0;
    (void)unsetenv("NOTIFY_SOCKET"); /* fails only for names that are none */
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
    return 0;
}

void service_manager_send(const char *message)
{
    if (manager.fd < 0)
        return;
    ssize_t sent;
    do
        sent = sendto(manager.fd, message, strlen(message), MSG_NOSIGNAL,
                      (const struct sockaddr *)&manager.address, manager.address_bytes);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && !atomic_exchange(&manager.failed, true))
        log_line("cannot tell the service manager %s: %s", message, strerror(errno));
}

void service_manager_extend(unsigned seconds)
{
    char message[MESSAGE_BYTES_MAX];
    (void)snprintf(message, sizeof(message), "EXTEND_TIMEOUT_USEC=%" PRIu64,
                   (uint64_t)seconds * US_PER_SECOND);
    service_manager_send(message);
}

uint64_t service_manager_watchdog_us(void)
{
    return manager.watchdog_us;
}

void service_manager_close(void)
{
    if (manager.fd >= 0)
        (void)close(manager.fd);
    manager.fd = -1;
}
