/*
 * service_manager: what a service manager is told (sd_notify(3)), and how often it wants to hear.
 *
 * One datagram a message, to the socket that NOTIFY_SOCKET names. Not by libsystemd, which would be
 * one more shared library for one sendto(2).
 *
 * service_manager_open: once, before other threads are started. The rest: any thread, and nothing
 * waits. A message that cannot be sent has a line in the log, the first of them only.
 */
#ifndef ROCHEFORT_BASE_SERVICE_MANAGER_H
#define ROCHEFORT_BASE_SERVICE_MANAGER_H

#include <stdint.h>

/* Reads the environment and takes these variables out of it. 0, also without a manager, or -errno:
 * NOTIFY_SOCKET is not a path or "@" and a name, or WATCHDOG_USEC is not a number. */
int service_manager_open(void);

/* "READY=1", for instance. Does nothing without a manager. */
void service_manager_send(const char *message);

/* The stop may take so many seconds more from now on. */
void service_manager_extend(unsigned seconds);

/* The program counts as stuck if it sends no "WATCHDOG=1" for so long; 0: nobody asks for it. */
uint64_t service_manager_watchdog_us(void);

void service_manager_close(void);

#endif
