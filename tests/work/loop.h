/*
 * loop: the test as the loop thread of a router with a real pool on a real
 * directory. It sleeps on the router's eventfd only when it may, and a sleep
 * that reaches its bound is a lost wake-up.
 */
#ifndef ROCHEFORT_TESTS_WORK_LOOP_H
#define ROCHEFORT_TESTS_WORK_LOOP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <event2/buffer.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/temporary.h"
#include "work/router.h"

#define LOST_MS 30000

struct fixture {
    void *directory;
    struct root *root;
    struct pool *pool;
    struct router *router;
    int epoll_fd;
    unsigned max_files, max_open;
    int sync_after_ms;
    unsigned sync_threads;
    int stop_error; /* what pool_stop is to return */
    void (*notice)(const char *line);
};

/* One job and what became of it. */
struct request {
    struct job job; /* first: `done` gets its address */
    unsigned answers, pieces;
    unsigned done_as; /* 1: the first that was done, 2: the second... */
    bool hold;        /* do not resume by itself */
    struct evbuffer *reply;
    struct router *router;
};

static unsigned done_count;

static inline int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.epoll_fd = -1,
                               .max_files = 1000,
                               .max_open = 1000,
                               .sync_after_ms = -1,
                               .sync_threads = 2};
    *state = &fixture;
    done_count = 0;
    return temporary_make(&fixture.directory) != 0 || root_open(fixture.directory, &fixture.root);
}

static inline void start(struct fixture *fixture, unsigned workers, unsigned in_flight,
                         unsigned buckets)
{
    const struct pool_options options = {.root = fixture->root,
                                         .workers = workers,
                                         .max_in_flight = in_flight,
                                         .buckets_if_new = buckets,
                                         .max_files = fixture->max_files,
                                         .sync_after_ms = fixture->sync_after_ms,
                                         .sync_threads = fixture->sync_threads,
                                         .notice = fixture->notice};
    assert_int_equal(pool_start(&options, &fixture->pool), 0);
    fixture->router = router_new(fixture->pool, fixture->max_open);
    assert_non_null(fixture->router);
    fixture->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int event_fd = pool_event_fd(fixture->pool);
    assert_int_equal(epoll_ctl(fixture->epoll_fd, EPOLL_CTL_ADD, event_fd, &event), 0);
}

static inline void stop(struct fixture *fixture)
{
    assert_int_equal(router_in_flight(fixture->router), 0);
    assert_int_equal(pool_stop(fixture->pool), fixture->stop_error);
    router_free(fixture->router);
    fixture->pool = NULL;
    fixture->router = NULL;
    (void)close(fixture->epoll_fd);
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    if (fixture->router != NULL)
        return -1; /* the test has failed half-way, its jobs are still with the workers */
    root_close(fixture->root);
    return temporary_remove(&fixture->directory);
}

/* An iteration of the loop, as the server's. */
static inline void turn_and(struct fixture *fixture, bool may_sleep)
{
    struct epoll_event event;
    pool_wake(fixture->pool);
    may_sleep = may_sleep && router_may_sleep(fixture->router) && pool_may_sleep(fixture->pool);
    int events = epoll_wait(fixture->epoll_fd, &event, 1, may_sleep ? LOST_MS : 0);
    pool_awake(fixture->pool);
    assert_true(!may_sleep || events != 0);
    pool_collect(fixture->pool);
    router_deliver(fixture->router);
}

static inline void turn(struct fixture *fixture)
{
    turn_and(fixture, true);
}

/* For a test that waits for something else than a job. */
static inline void turn_without_sleep(struct fixture *fixture)
{
    turn_and(fixture, false);
}

static inline void on_done(struct job *job)
{
    struct request *request = (struct request *)(void *)job;
    request->answers++;
    if (job->piece != NULL) {
        assert_int_equal(evbuffer_add_buffer(request->reply, job->piece), 0);
        evbuffer_free(job->piece);
        job->piece = NULL;
        request->pieces++;
    }
    if (!job->more)
        request->done_as = ++done_count;
    else if (!request->hold)
        router_resume(request->router, job);
}

static inline struct request *new_request(struct fixture *fixture, enum job_kind kind,
                                          uint64_t id_hash)
{
    struct request *request = test_calloc(1, sizeof(*request));
    request->job.kind = kind;
    request->job.id_hash.xxh3 = id_hash;
    request->job.done = on_done;
    request->job.value = evbuffer_new();
    request->job.offsets = evbuffer_new();
    request->reply = evbuffer_new();
    request->router = fixture->router;
    return request;
}

static inline void free_request(struct request *request)
{
    evbuffer_free(request->job.value);
    evbuffer_free(request->job.offsets);
    evbuffer_free(request->reply);
    test_free(request);
}

static inline struct request *submit(struct fixture *fixture, const char *prefix,
                                     struct request *request)
{
    unsigned before = router_in_flight(fixture->router);
    router_submit(fixture->router, prefix, &request->job);
    assert_int_equal(request->answers, 0); /* never from inside the call */
    assert_int_equal(router_in_flight(fixture->router), before + 1);
    return request;
}

static inline struct request *append(struct fixture *fixture, const char *prefix, uint64_t id_hash,
                                     const char *value)
{
    struct request *request = new_request(fixture, JOB_APPEND, id_hash);
    for (; *value != '\0'; value++) /* a chain for each byte, by reference: only read */
        assert_int_equal(evbuffer_add_reference(request->job.value, value, 1, NULL, NULL), 0);
    return submit(fixture, prefix, request);
}

static inline struct request *get(struct fixture *fixture, const char *prefix, uint64_t id_hash,
                                  int64_t offset)
{
    struct request *request = new_request(fixture, JOB_READ, id_hash);
    request->job.offset = offset;
    return submit(fixture, prefix, request);
}

static inline struct request *close_prefix(struct fixture *fixture, const char *prefix)
{
    return submit(fixture, prefix, new_request(fixture, JOB_CLOSE, 0));
}

/* Until the request is done. Answers its error. */
static inline int finish(struct fixture *fixture, struct request *request)
{
    while (request->done_as == 0)
        turn(fixture);
    return request->job.error;
}

static inline int finish_and_free(struct fixture *fixture, struct request *request)
{
    int error = finish(fixture, request);
    free_request(request);
    return error;
}

/* Descriptors of this process that lead to a file of the prefix. */
static inline unsigned open_files_of(const struct fixture *fixture, const char *prefix)
{
    char below[PATH_MAX], name[PATH_MAX], target[PATH_MAX];
    unsigned count = 0;
    struct dirent *entry;
    assert_non_null(realpath(temporary_path(fixture->directory, prefix), below));
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        (void)snprintf(name, sizeof(name), "/proc/self/fd/%s", entry->d_name);
        ssize_t bytes = readlink(name, target, sizeof(target) - 1);
        target[bytes > 0 ? bytes : 0] = '\0';
        count += strncmp(target, below, strlen(below)) == 0;
    }
    (void)closedir(directory);
    return count;
}

static inline unsigned open_files(const struct fixture *fixture)
{
    return open_files_of(fixture, "p");
}

#endif
