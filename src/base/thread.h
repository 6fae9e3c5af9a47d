/*
 * thread: the start of a thread beside the main one.
 *
 * Signals are for the main thread, so all of them are blocked in the new one from its first
 * instruction on.
 *
 * The caller joins or detaches what it has started. Any thread. Errors: 0 or -errno.
 */
#ifndef ROCHEFORT_BASE_THREAD_H
#define ROCHEFORT_BASE_THREAD_H

#include <pthread.h>

/* The caller's own signal mask is afterwards as before. -EAGAIN: no more threads are allowed. */
int thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

#endif
