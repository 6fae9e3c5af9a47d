/*
 * Tests of work/ on jobs that would be lost: the program ends, in any build, instead of leaving a
 * request without a reply. This program brings its own sem_wait, which says when the worker falls
 * asleep.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/temporary.h"
#include "store/root.h"
#include "work/mailbox.h"
#include "work/open_prefix.h"
#include "work/pool.h"
#include "work/router.h"
#include "work/worker.h"

static atomic_uint sleeps;

int sem_wait(sem_t *semaphore)
{
    int (*real)(sem_t *);
    *(void **)&real = dlsym(RTLD_NEXT, "sem_wait");
    (void)atomic_fetch_add(&sleeps, 1);
    return real(semaphore);
}

static void await_sleep(void)
{
    while (atomic_load(&sleeps) == 0)
        continue; /* bounded by the time-out of the test */
}

/* These run in a process of their own. Each job is done at once: it closes no bucket. */
static void overfill(struct root *root, bool wake)
{
    static struct open_prefix prefix;
    static struct sleeper loop;
    static struct job jobs[8];
    struct worker *worker;
    sleeper_init(&loop);
    const struct worker_options options = {.root = root,
                                           .workers = 1,
                                           .max_files = 1,
                                           .sync_after_ms = -1,
                                           .ring_capacity = 1,
                                           .loop = &loop,
                                           .loop_fd = eventfd(0, EFD_CLOEXEC)};
    if (worker_start(&options, &worker) != 0)
        _exit(1);
    await_sleep(); /* what is pushed now without waking it stays in the ring */
    for (size_t i = 0; i < (wake ? 3 : sizeof(jobs) / sizeof(jobs[0])); i++) {
        jobs[i] = (struct job){.kind = JOB_CLOSE, .route.prefix = &prefix};
        mailbox_push(worker_mailbox(worker), &jobs[i]);
        if (wake)
            mailbox_wake_pushed(worker_mailbox(worker));
        while (wake && mailbox_completed(worker_mailbox(worker)) == 0)
            continue; /* nobody takes results out: there is room for one, and for a message */
    }
    for (;;)
        pause();
}

static void overfill_in(struct root *root)
{
    overfill(root, false);
}

static void overfill_out(struct root *root)
{
    overfill(root, true);
}

/* Its job is still parked: nobody has collected the reply that opens the prefix. */
static void free_router_too_early(struct root *root)
{
    struct pool *pool;
    static struct job job = {.kind = JOB_READ};
    const struct pool_options options = {.root = root,
                                         .workers = 1,
                                         .max_in_flight = 1,
                                         .buckets_if_new = 1,
                                         .sync_threads = 1,
                                         .sync_after_ms = -1};
    if (pool_start(&options, &pool) != 0)
        _exit(1);
    struct router *router = router_new(pool, 1);
    if (router == NULL)
        _exit(1);
    router_submit(router, "p", &job);
    (void)pool_stop(pool);
    router_free(router);
    _exit(0);
}

static void assert_aborts(const char *directory, void (*run)(struct root *root), const char *line)
{
    int out[2], status;
    char text[4096];
    size_t bytes = 0;
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (dup2(out[1], STDERR_FILENO) < 0 || close(out[0]) != 0 || close(out[1]) != 0)
            _exit(1);
        struct root *root;
        if (root_open(directory, &root) != 0)
            _exit(1);
        run(root);
    }
    assert_int_equal(close(out[1]), 0);
    for (ssize_t got; (got = read(out[0], text + bytes, sizeof(text) - 1 - bytes)) > 0;)
        bytes += (size_t)got;
    text[bytes] = '\0';
    assert_int_equal(close(out[0]), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, line));
}

static void job_that_cannot_be_pushed_is_not_lost(void **state)
{
    assert_aborts(*state, overfill_in, "a ring between loop and worker is full");
}

static void result_that_cannot_be_pushed_is_not_lost(void **state)
{
    assert_aborts(*state, overfill_out, "a ring between loop and worker is full");
}

static void router_with_jobs_is_not_freed(void **state)
{
    assert_aborts(*state, free_router_too_early, "1 requests are still in flight");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_make, temporary_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(job_that_cannot_be_pushed_is_not_lost),
        TEST(result_that_cannot_be_pushed_is_not_lost),
        TEST(router_with_jobs_is_not_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
