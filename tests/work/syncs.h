/*
 * syncs: loop.h for a program that gets its own fdatasync, fsync, sem_wait, sem_clockwait and
 * clock, which count, wait, fail or hurry as the test wishes.
 */
#ifndef ROCHEFORT_TESTS_WORK_SYNCS_H
#define ROCHEFORT_TESTS_WORK_SYNCS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/error.h"
#include "work/loop.h"

#define HOUR_MS (60 * 60 * 1000)
#define WAIT_SECONDS 60

/* One kind of call. The Nth and all after it fail with `error`, if that is not 0. */
struct call {
    atomic_uint count;
    atomic_uint nth;
    atomic_int error;
    atomic_bool held;
    sem_t entered, released; /* `entered` counts all calls, `released` those that may go on */
};

static struct call data_syncs, file_syncs, name_syncs; /* fdatasync; fsync of a file, a directory */
static atomic_uint timed_waits;
static sem_t sleeps;      /* one for each wait without an end */
static atomic_uint hours; /* that have gone by, over those of the real clock */
static atomic_uint notices;
static char last_notice[8192];

static inline int pass(struct call *call)
{
    unsigned number = atomic_fetch_add(&call->count, 1) + 1;
    int error = number >= atomic_load(&call->nth) ? atomic_load(&call->error) : 0;
    bool held = atomic_load(&call->held);
    (void)sem_post(&call->entered);
    while (held && sem_wait(&call->released) != 0)
        ;
    errno = error;
    return error != 0 ? -1 : 0;
}

int fdatasync(int fd)
{
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    return pass(&data_syncs);
}

int fsync(int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    return pass(S_ISDIR(status.st_mode) ? &name_syncs : &file_syncs);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int (*real)(clockid_t, struct timespec *);
    *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_MONOTONIC)
        now->tv_sec += (time_t)atomic_load(&hours) * 60 * 60;
    return result;
}

/* Time is only looked at when it returns, so an hour that is added meanwhile wakes nobody. */
int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until)
{
    int (*real)(sem_t *, clockid_t, const struct timespec *);
    *(void **)&real = dlsym(RTLD_NEXT, "sem_clockwait");
    atomic_fetch_add(&timed_waits, 1);
    return real(semaphore, clock, until);
}

int sem_wait(sem_t *semaphore)
{
    int (*real)(sem_t *);
    *(void **)&real = dlsym(RTLD_NEXT, "sem_wait");
    (void)sem_post(&sleeps);
    return real(semaphore);
}

static inline void on_notice(const char *line)
{
    (void)snprintf(last_notice, sizeof(last_notice), "%s", line);
    atomic_fetch_add(&notices, 1);
}

static inline void reset(struct call *call)
{
    atomic_store(&call->count, 0);
    atomic_store(&call->nth, 0);
    atomic_store(&call->error, 0);
    atomic_store(&call->held, false);
    assert_int_equal(sem_init(&call->entered, 0, 0), 0);
    assert_int_equal(sem_init(&call->released, 0, 0), 0);
}

static inline void fail_from(struct call *call, unsigned nth, int error)
{
    atomic_store(&call->count, 0);
    atomic_store(&call->nth, nth);
    atomic_store(&call->error, error);
}

static inline void await_post(sem_t *semaphore)
{
    struct timespec until;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_sec += WAIT_SECONDS;
    assert_int_equal(sem_timedwait(semaphore, &until), 0);
}

/* Until there is one more call than was waited for yet. */
static inline void await(struct call *call)
{
    await_post(&call->entered);
}

static inline void forget(sem_t *semaphore)
{
    while (sem_trywait(semaphore) == 0)
        ;
}

static inline unsigned count(struct call *call)
{
    return atomic_load(&call->count);
}

static inline int sync_set_up(void **state)
{
    reset(&data_syncs);
    reset(&file_syncs);
    reset(&name_syncs);
    atomic_store(&timed_waits, 0);
    atomic_store(&hours, 0);
    assert_int_equal(sem_init(&sleeps, 0, 0), 0);
    atomic_store(&notices, 0);
    last_notice[0] = '\0';
    int error = set_up(state);
    struct fixture *fixture = *state;
    fixture->notice = on_notice;
    return error;
}

static inline struct request *append_as(struct fixture *fixture, const char *prefix,
                                        uint64_t id_hash, const char *value, bool sync)
{
    struct request *request = new_request(fixture, JOB_APPEND, id_hash);
    assert_int_equal(evbuffer_add(request->job.value, value, strlen(value)), 0);
    request->job.sync = sync;
    return submit(fixture, prefix, request);
}

static inline int appended(struct fixture *fixture, const char *prefix, uint64_t id_hash, bool sync)
{
    return finish_and_free(fixture, append_as(fixture, prefix, id_hash, "1234", sync));
}

/* The worker is in the sync of an append to bucket 1: all that comes now will be one drain. */
static inline struct request *hold_in_sync(struct fixture *fixture)
{
    assert_int_equal(appended(fixture, "p", 3, false), 0); /* opens the prefix */
    atomic_store(&data_syncs.held, true);
    struct request *request = append_as(fixture, "p", 1, "1234", true);
    pool_wake(fixture->pool);
    await(&data_syncs);
    return request;
}

static inline int read_at(struct fixture *fixture, const char *prefix, uint64_t id_hash,
                          int64_t offset)
{
    return finish_and_free(fixture, get(fixture, prefix, id_hash, offset));
}

static inline off_t bytes_of(const struct fixture *fixture, const char *name)
{
    struct stat status;
    assert_int_equal(stat(temporary_path(fixture->directory, name), &status), 0);
    return status.st_size;
}

#define SYNC_TEST(name) cmocka_unit_test_setup_teardown(name, sync_set_up, tear_down)

#endif
