/*
 * event_loop: the event base of a server, and libevent's own messages in the log.
 *
 * The caller owns the base; only its thread touches it. NULL when out of memory, or if the kernel
 * has no epoll.
 */
#ifndef ROCHEFORT_HTTP_EVENT_LOOP_H
#define ROCHEFORT_HTTP_EVENT_LOOP_H

struct event_base;

struct event_base *event_loop_new(void);

#endif
