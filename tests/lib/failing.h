/*
 * failing: calls of the C library that fail when the test says so.
 *
 * FAILING(calloc, ...) makes a stand-in for calloc that fails as `fail_calloc`
 * says and otherwise calls the real one. The program must be linked with
 * --wrap=calloc (failing_calls() in CMakeLists.txt); then all of it gets the
 * stand-in, so arm a call only when the code under test is next.
 *
 * Any thread.
 */
#ifndef ROCHEFORT_TESTS_FAILING_H
#define ROCHEFORT_TESTS_FAILING_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Of the calls since it was armed number `nth` fails with `error`. */
struct failing {
    atomic_int nth, error, seen;
};

static inline void failing_arm(struct failing *call, int nth, int error)
{
    atomic_store(&call->nth, 0);
    atomic_store(&call->error, error);
    atomic_store(&call->seen, 0);
    atomic_store(&call->nth, nth);
}

/* Nothing fails any more. True if it had come to that. */
static inline bool failing_disarm(struct failing *call)
{
    int nth = atomic_exchange(&call->nth, 0);
    return nth > 0 && atomic_load(&call->seen) >= nth;
}

/* For the stand-in: true if this call fails; errno is set then. */
static inline bool failing_now(struct failing *call)
{
    int nth = atomic_load(&call->nth);
    if (nth == 0 || atomic_fetch_add(&call->seen, 1) + 1 != nth)
        return false;
    errno = atomic_load(&call->error);
    return true;
}

/* `symbol` is what the linker sees: with _FILE_OFFSET_BITS=64 fstat is fstat64. */
#define FAILING(symbol, type, failure, parameters, arguments)                                      \
    static struct failing fail_##symbol;                                                           \
    type __real_##symbol parameters;                                                               \
    type __wrap_##symbol parameters;                                                               \
    type __wrap_##symbol parameters                                                                \
    {                                                                                              \
        return failing_now(&fail_##symbol) ? (failure) : __real_##symbol arguments;                \
    }

/* Calls that several tests let fail. The test includes what declares the types. */
#define FAILING_MALLOC FAILING(malloc, void *, NULL, (size_t bytes), (bytes))
#define FAILING_CALLOC FAILING(calloc, void *, NULL, (size_t count, size_t bytes), (count, bytes))
#define FAILING_REALLOCARRAY                                                                       \
    FAILING(reallocarray, void *, NULL, (void *old, size_t count, size_t bytes),                   \
            (old, count, bytes))
#define FAILING_FSTAT64 FAILING(fstat64, int, -1, (int fd, struct stat *status), (fd, status))
#define FAILING_FSTATAT64                                                                          \
    FAILING(fstatat64, int, -1, (int fd, const char *name, struct stat *status, int flags),        \
            (fd, name, status, flags))
#define FAILING_MKDIRAT                                                                            \
    FAILING(mkdirat, int, -1, (int fd, const char *name, mode_t mode), (fd, name, mode))
#define FAILING_UNLINKAT                                                                           \
    FAILING(unlinkat, int, -1, (int fd, const char *name, int flags), (fd, name, flags))
#define FAILING_FTRUNCATE64 FAILING(ftruncate64, int, -1, (int fd, off_t bytes), (fd, bytes))
#define FAILING_PTHREAD_CREATE                                                                     \
    FAILING(pthread_create, int, EAGAIN,                                                           \
            (pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *),           \
             void *argument),                                                                      \
            (thread, attributes, run, argument))
#define FAILING_PTHREAD_MUTEX_INIT                                                                 \
    FAILING(pthread_mutex_init, int, ENOMEM,                                                       \
            (pthread_mutex_t * mutex, const pthread_mutexattr_t *attributes), (mutex, attributes))
#define FAILING_PTHREAD_CONDATTR_INIT                                                              \
    FAILING(pthread_condattr_init, int, ENOMEM, (pthread_condattr_t * attributes), (attributes))
#define FAILING_EVBUFFER_NEW FAILING(evbuffer_new, struct evbuffer *, NULL, (void), ())

#endif
