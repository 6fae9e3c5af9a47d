/*
 * page_cache: loop.h for a program that gets its own preadv2, which can pretend that the page cache
 * is cold, and hold one read up.
 */
#ifndef ROCHEFORT_TESTS_WORK_PAGE_CACHE_H
#define ROCHEFORT_TESTS_WORK_PAGE_CACHE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <event2/buffer.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include "work/loop.h"

static atomic_bool cold;
static atomic_bool beginning_cached; /* the cold page cache has what is at offset 0 */
static atomic_bool held;       /* the next read waits in the kernel, as if the disk were slow... */
static sem_t entered, release; /* ...from the one on, until the other */

/* With _FILE_OFFSET_BITS=64 the symbol of this is preadv64v2. */
ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t, int);
    *(void **)&real = dlsym(RTLD_NEXT, "preadv64v2");
    if (atomic_exchange(&held, false)) {
        assert_int_equal(sem_post(&entered), 0);
        while (sem_wait(&release) != 0)
            ;
    }
    if (cold && (flags & RWF_NOWAIT) != 0 && (offset != 0 || !beginning_cached)) {
        errno = EAGAIN;
        return -1;
    }
    return real(fd, parts, count, offset, flags);
}

static inline int warm_set_up(void **state)
{
    cold = false;
    beginning_cached = false;
    return set_up(state);
}

static inline int cold_set_up(void **state)
{
    cold = true;
    beginning_cached = false;
    return set_up(state);
}

/* The only worker is in a read from now on: what is submitted until it is let go is one drain. */
static inline struct request *hold_worker(struct fixture *fixture)
{
    assert_int_equal(sem_init(&entered, 0, 0), 0);
    assert_int_equal(sem_init(&release, 0, 0), 0);
    held = true;
    struct request *read = get(fixture, "p", 0, 0);
    pool_wake(fixture->pool);
    while (sem_wait(&entered) != 0)
        ;
    return read;
}

/* A value of 1 MiB, byte i is i * 7 / 3. */
#define LONG_BYTES (1024 * 1024)
static char long_value[LONG_BYTES];

static inline void append_long(struct fixture *fixture, uint64_t id_hash)
{
    for (size_t i = 0; i < LONG_BYTES; i++)
        long_value[i] = (char)(i * 7 / 3);
    struct request *request = new_request(fixture, JOB_APPEND, id_hash);
    assert_int_equal(evbuffer_add(request->job.value, long_value, LONG_BYTES), 0);
    assert_int_equal(finish_and_free(fixture, submit(fixture, "p", request)), 0);
}

static inline void add_offset(struct request *request, uint64_t offset)
{
    for (int i = 0; i < 8; i++)
        assert_int_equal(evbuffer_add(request->job.offsets, &(char){(char)(offset >> 8 * i)}, 1),
                         0);
}

/* A getMulti of the long value that has sent its first piece and waits to be resumed. */
static inline struct request *paused_multi(struct fixture *fixture)
{
    struct request *request = new_request(fixture, JOB_READ_MULTI, 0);
    add_offset(request, 0);
    request->hold = true;
    (void)submit(fixture, "p", request);
    while (request->answers == 0)
        turn(fixture);
    assert_true(request->job.more);
    return request;
}

/* The rest of a paused getMulti comes, and it is the long value. */
static inline void finish_multi(struct fixture *fixture, struct request *multi)
{
    multi->hold = false;
    router_resume(fixture->router, &multi->job);
    assert_int_equal(finish(fixture, multi), 0);
    assert_int_equal(evbuffer_get_length(multi->reply), 4 + LONG_BYTES);
    assert_memory_equal(evbuffer_pullup(multi->reply, -1), "\0\0\x10\0", 4);
    assert_memory_equal(evbuffer_pullup(multi->reply, -1) + 4, long_value, LONG_BYTES);
}

/* Each test with both. */
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, warm_set_up, tear_down),                                 \
    {                                                                                              \
#name "_when_cold", name, cold_set_up, tear_down, NULL                                     \
    }

#endif
