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
    if (cold && (flags & RWF_NOWAIT) != 0) {
        errno = EAGAIN;
        return -1;
    }
    return real(fd, parts, count, offset, flags);
}

static inline int warm_set_up(void **state)
{
    cold = false;
    return set_up(state);
}

static inline int cold_set_up(void **state)
{
    cold = true;
    return set_up(state);
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

/* Each test with both. */
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, warm_set_up, tear_down),                                 \
    {                                                                                              \
#name "_when_cold", name, cold_set_up, tear_down, NULL                                     \
    }

#endif
