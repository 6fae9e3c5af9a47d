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

#endif
