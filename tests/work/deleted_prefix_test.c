/*
 * Tests of work/router: the directory of an open prefix was deleted. The append that notices it
 * waits until the prefix is closed and made anew, as one for a new prefix does. This program brings
 * its own openat, which can delete the directory once more, hold the worker up or fail when it
 * makes a file; and its own fdatasync and pwritev, which count.
 */
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
#include <sys/stat.h>
#include <sys/uio.h>

#include "store/error.h"
#include "work/loop.h"

#define STEP 64
#define BUCKETS 4
#define RECORD_BYTES 17

static char deleted_path[TEMPORARY_PATH_BYTES];
static atomic_uint deletions;    /* so many openings of a file find the directory deleted */
static atomic_uint made;         /* files, since the test has set it to 0 */
static atomic_uint held_at;      /* the one that waits for `release`; 0: none */
static atomic_int making_error;  /* of the next file that is made */
static atomic_uint made_by_then; /* when something was written */
static atomic_uint syncs;
static sem_t entered, release;

/* With _FILE_OFFSET_BITS=64 the symbol of this is openat64. */
int openat(int directory_fd, const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    int (*real)(int, const char *, int, ...);
    *(void **)&real = dlsym(RTLD_NEXT, "openat64");
    bool is_file = strncmp(name, "append.", 7) == 0, is_made = (flags & O_CREAT) != 0;
    if (is_file && is_made) {
        unsigned number = atomic_fetch_add(&made, 1) + 1;
        if (number == held_at) {
            assert_int_equal(sem_post(&entered), 0);
            while (sem_wait(&release) != 0)
                ;
        }
        errno = atomic_exchange(&making_error, 0);
        if (errno != 0)
            return -1;
    }
    if (is_file && !is_made && deletions > 0) {
        deletions--;
        assert_int_equal(temporary_empty(deleted_path), 0);
    }
    return real(directory_fd, name, flags, mode);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t);
    *(void **)&real = dlsym(RTLD_NEXT, "pwritev64");
    made_by_then = made;
    return real(fd, parts, count, offset);
}

int fdatasync(int fd)
{
    int (*real)(int);
    *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    (void)atomic_fetch_add(&syncs, 1);
    return real(fd);
}

static void begin(struct fixture *fixture, unsigned workers, unsigned in_flight, unsigned buckets)
{
    start(fixture, workers, in_flight, buckets);
    (void)snprintf(deleted_path, sizeof(deleted_path), "%s",
                   temporary_path(fixture->directory, "p"));
    deletions = made = held_at = syncs = 0;
    making_error = 0;
    assert_int_equal(sem_init(&entered, 0, 0), 0);
    assert_int_equal(sem_init(&release, 0, 0), 0);
}

/* All files are open when the directory goes. */
static void make_and_delete(struct fixture *fixture, unsigned buckets)
{
    for (unsigned i = 0; i < buckets; i++)
        assert_int_equal(finish_and_free(fixture, append(fixture, "p", i, "x")), 0);
    assert_int_equal(temporary_empty(deleted_path), 0);
}

static void assert_appended(struct request *request, int64_t offset)
{
    assert_int_equal(request->job.error, 0);
    assert_int_equal(request->job.offset, offset);
    assert_true(request->job.has_bucket);
}

/* Not as many as new prefixes have, and no deleted file stays open. */
static void it_has_as_many_files_as_before(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, 2, 8, BUCKETS);
    assert_int_equal(finish_and_free(fixture, append(fixture, "p", 0, "x")), 0);
    stop(fixture);
    begin(fixture, 2, 8, BUCKETS + 5);
    make_and_delete(fixture, BUCKETS);
    struct request *write = append(fixture, "p", 6, "x");
    assert_int_equal(finish(fixture, write), 0);
    assert_appended(write, 0);
    assert_int_equal(write->job.bucket, 6 % BUCKETS);
    assert_int_equal(made, BUCKETS);
    assert_int_equal(open_files(fixture), 1);
    free_request(write);
    /* after a close it is new */
    assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "p")), 0);
    assert_int_equal(temporary_empty(deleted_path), 0);
    assert_int_equal(finish_and_free(fixture, append(fixture, "p", 0, "x")), 0);
    assert_int_equal(made, 2 * BUCKETS + 5);
    stop(fixture);
}

static void close_waits_for_an_append_before_it(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, 2, 16, BUCKETS);
    make_and_delete(fixture, BUCKETS);
    struct request *all[] = {append(fixture, "p", 1, "x"), close_prefix(fixture, "p"),
                             close_prefix(fixture, "p"), append(fixture, "p", 1, "x")};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(finish(fixture, all[i]), 0);
        assert_int_equal(all[i]->done_as, BUCKETS + i + 1);
    }
    assert_appended(all[0], 0);
    assert_appended(all[3], RECORD_BYTES);
    for (unsigned i = 0; i < 4; i++)
        free_request(all[i]);
    stop(fixture);
}

static void sync_that_was_asked_for_is_made(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, 2, 8, BUCKETS);
    make_and_delete(fixture, BUCKETS);
    for (unsigned synced = 0; synced < 2; synced++) {
        struct request *write = new_request(fixture, JOB_APPEND, 0);
        assert_int_equal(evbuffer_add(write->job.value, "x", 1), 0);
        write->job.sync = synced;
        assert_int_equal(finish(fixture, submit(fixture, "p", write)), 0);
        assert_appended(write, 0);
        assert_int_equal(syncs, synced);
        free_request(write);
        assert_int_equal(temporary_empty(deleted_path), 0);
    }
    stop(fixture);
}

/* Of a prefix with many files: other prefixes are served between the steps. */
static void it_is_made_in_steps(void **state)
{
    struct fixture *fixture = *state;
    const unsigned buckets = 1000;
    begin(fixture, 1, 16, buckets);
    assert_int_equal(finish_and_free(fixture, append(fixture, "open", 0, "x")), 0);
    make_and_delete(fixture, 2);
    made = 0;
    held_at = 100;
    struct request *write = append(fixture, "p", 0, "x");
    while (sem_trywait(&entered) != 0) /* the worker is not in the way of the loop */
        turn_without_sleep(fixture);
    struct request *other = append(fixture, "open", 0, "x");
    assert_int_equal(sem_post(&release), 0);
    assert_int_equal(finish_and_free(fixture, other), 0);
    assert_true(made_by_then <= 100 + STEP);
    assert_int_equal(finish_and_free(fixture, write), 0);
    assert_int_equal(made, buckets);
    stop(fixture);
}

/* Whatever deletes it again and again does not keep an append for ever. */
static void it_is_made_once_for_an_append(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, 1, 8, BUCKETS);
    make_and_delete(fixture, BUCKETS);
    assert_int_equal(mkdir(deleted_path, 0700), 0);
    deletions = 2;
    assert_int_equal(finish_and_free(fixture, append(fixture, "p", 0, "x")), STORE_FILES_MISSING);
    assert_int_equal(deletions, 0);
    assert_int_equal(finish_and_free(fixture, append(fixture, "p", 0, "x")), 0);
    stop(fixture);
}

static void it_cannot_be_made(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, 2, 8, BUCKETS);
    make_and_delete(fixture, BUCKETS);
    making_error = ENOSPC;
    struct request *write = append(fixture, "p", 0, "x"), *closing = close_prefix(fixture, "p");
    assert_int_equal(finish(fixture, write), -ENOSPC);
    assert_false(write->job.has_bucket);
    assert_int_equal(finish_and_free(fixture, closing), 0);
    free_request(write);
    assert_int_equal(open_files(fixture), 0);
    assert_int_equal(finish_and_free(fixture, append(fixture, "p", 0, "x")), 0);
    stop(fixture);
}

/* A read goes on in the file that it has open. */
static void reads_do_not_make_it(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, 2, 8, BUCKETS);
    make_and_delete(fixture, BUCKETS);
    struct request *read = get(fixture, "p", 1, 0);
    assert_int_equal(finish_and_free(fixture, read), 0);
    assert_int_equal(access(deleted_path, F_OK), -1);
    assert_int_equal(finish_and_free(fixture, append(fixture, "p", 0, "x")), 0);
    assert_int_equal(finish_and_free(fixture, get(fixture, "p", 1, 0)), STORE_NOT_FOUND);
    stop(fixture);
}

/* Those that wait are as many as may: the others are refused. */
static void more_appends_than_may_wait(void **state)
{
    struct fixture *fixture = *state;
    enum { IN_FLIGHT = 3 };
    struct request *requests[BUCKETS * IN_FLIGHT];
    begin(fixture, BUCKETS, IN_FLIGHT, BUCKETS);
    make_and_delete(fixture, BUCKETS);
    unsigned appended = 0, refused = 0;
    for (unsigned i = 0; i < BUCKETS * IN_FLIGHT; i++)
        requests[i] = append(fixture, "p", i, "x");
    for (unsigned i = 0; i < BUCKETS * IN_FLIGHT; i++) {
        int error = finish_and_free(fixture, requests[i]);
        appended += error == 0;
        refused += error == JOB_TOO_MANY_IN_FLIGHT;
    }
    assert_int_equal(appended + refused, BUCKETS * IN_FLIGHT);
    assert_true(appended >= IN_FLIGHT);
    assert_true(refused > 0);
    stop(fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_has_as_many_files_as_before),
        TEST(close_waits_for_an_append_before_it),
        TEST(sync_that_was_asked_for_is_made),
        TEST(it_is_made_in_steps),
        TEST(it_is_made_once_for_an_append),
        TEST(it_cannot_be_made),
        TEST(reads_do_not_make_it),
        TEST(more_appends_than_may_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
