/*
 * Tests of work/worker: a job that does not get into a ring ends the program, in any build, instead
 * of leaving its request without a reply. This program brings its own sem_wait, which says when the
 * worker falls asleep.
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
#include "work/open_prefix.h"
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

/* In a process of its own. Each job is done at once: it closes no bucket. */
static void overfill(const char *directory, bool wake)
{
    static struct open_prefix prefix;
    static struct sleeper loop;
    static struct job jobs[8];
    struct root *root;
    struct worker *worker;
    if (root_open(directory, &root) != 0)
        _exit(1);
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
    for (size_t i = 0; i < (wake ? 2 : sizeof(jobs) / sizeof(jobs[0])); i++) {
        jobs[i] = (struct job){.kind = JOB_CLOSE, .route.prefix = &prefix};
        worker_push(worker, &jobs[i]);
        if (wake)
            worker_wake(worker);
        while (wake && worker_completed(worker) == 0)
            continue; /* nobody takes the first result out; the second has no room */
    }
    for (;;)
        pause();
}

static void assert_aborts(const char *directory, bool wake)
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
        overfill(directory, wake);
    }
    assert_int_equal(close(out[1]), 0);
    for (ssize_t got; (got = read(out[0], text + bytes, sizeof(text) - 1 - bytes)) > 0;)
        bytes += (size_t)got;
    text[bytes] = '\0';
    assert_int_equal(close(out[0]), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, "a ring between loop and worker is full"));
}

static void job_that_cannot_be_pushed_is_not_lost(void **state)
{
    assert_aborts(*state, false);
}

static void result_that_cannot_be_pushed_is_not_lost(void **state)
{
    assert_aborts(*state, true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_make, temporary_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(job_that_cannot_be_pushed_is_not_lost),
        TEST(result_that_cannot_be_pushed_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
