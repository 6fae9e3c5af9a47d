/*
 * Tests of work/prefix_names: what is synced before the names of a prefix are known to be on the
 * disk, by which threads, and what those that wait for it are told. This program brings its own
 * fsync.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/temporary.h"
#include "store/error.h"
#include "store/root.h"
#include "work/prefix_names.h"

#define BUCKETS 20
#define THREADS 3
#define WAITERS 10
#define WAIT_SECONDS 60

static struct {
    atomic_uint files, directories; /* calls so far */
    atomic_uint_fast64_t held;      /* the inode that waits; 0: none */
    atomic_uint_fast64_t fails;     /* the inode whose sync fails */
    sem_t entered, released;        /* of those that wait */
} syncs;

int fsync(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -1;
    if (status.st_ino == atomic_load(&syncs.held)) {
        (void)sem_post(&syncs.entered);
        while (sem_wait(&syncs.released) != 0)
            ;
    }
    (void)atomic_fetch_add(S_ISDIR(status.st_mode) ? &syncs.directories : &syncs.files, 1);
    errno = EIO;
    return status.st_ino == atomic_load(&syncs.fails) ? -1 : 0;
}

struct fixture {
    void *directory;
    struct root *root;
    struct sync_pool *pool;
    struct names_lock *all;
    struct prefix_names names;
};

/* One that waits, and how often it was told. */
struct waiter {
    struct names_waiter waiter; /* first */
    struct fixture *fixture;
    sem_t told;
    int error;
    bool failed;
};

static void await(sem_t *semaphore)
{
    struct timespec until;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_sec += WAIT_SECONDS;
    assert_int_equal(sem_timedwait(semaphore, &until), 0);
}

static uint64_t inode(const struct fixture *fixture, const char *name)
{
    struct stat status;
    assert_int_equal(stat(temporary_path(fixture->directory, name), &status), 0);
    return status.st_ino;
}

static void await_count(atomic_uint *count, unsigned wanted)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (unsigned looks = 0; atomic_load(count) < wanted; looks++) {
        assert_true(looks < WAIT_SECONDS * 1000);
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(atomic_load(count), wanted);
}

static void make_prefix(const struct fixture *fixture, const char *name)
{
    int fd = root_open_directory(fixture->root, name, 1);
    assert_true(fd >= 0 && close(fd) == 0);
    for (unsigned i = 0; i < BUCKETS; i++) {
        char file[32];
        (void)snprintf(file, sizeof(file), "append.%u.raw", i);
        fd = root_open_file(fixture->root, name, file, O_WRONLY | O_CREAT);
        assert_true(fd >= 0 && close(fd) == 0);
    }
}

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.names = {.prefix = "p", .buckets = BUCKETS}};
    memset(&syncs, 0, sizeof(syncs));
    *state = &fixture;
    if (sem_init(&syncs.entered, 0, 0) != 0 || sem_init(&syncs.released, 0, 0) != 0 ||
        temporary_make(&fixture.directory) != 0 ||
        root_open(fixture.directory, &fixture.root) != 0 ||
        sync_pool_start(THREADS, &fixture.pool) != 0)
        return -1;
    fixture.all = names_lock_new(fixture.root, fixture.pool);
    make_prefix(&fixture, "p");
    return fixture.all == NULL;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    sync_pool_stop(fixture->pool);
    names_lock_free(fixture->all);
    root_close(fixture->root);
    return temporary_remove(&fixture->directory);
}

/* Another prefix of that root. */
static struct fixture beside(const struct fixture *fixture, const char *name)
{
    return (struct fixture){.directory = fixture->directory,
                            .root = fixture->root,
                            .pool = fixture->pool,
                            .all = fixture->all,
                            .names = {.prefix = name, .buckets = BUCKETS}};
}

/* On a sync thread. */
static void run_waiter(struct sync_work *work)
{
    struct waiter *waiter = (struct waiter *)(void *)work;
    struct fixture *fixture = waiter->fixture;
    if (waiter->waiter.error == 0 &&
        !prefix_names_sync(fixture->all, &fixture->names, &waiter->waiter))
        return;
    waiter->error = waiter->waiter.error;
    waiter->failed = waiter->waiter.failed;
    (void)sem_post(&waiter->told);
}

static void push(struct fixture *fixture, struct waiter *waiter)
{
    *waiter = (struct waiter){.waiter.work.run = run_waiter, .fixture = fixture};
    assert_int_equal(sem_init(&waiter->told, 0, 0), 0);
    sync_pool_push(fixture->pool, &waiter->waiter.work);
}

static void assert_told(struct waiter *waiter, int error, bool failed)
{
    await(&waiter->told);
    assert_int_equal(waiter->error, error);
    assert_int_equal(waiter->failed, failed);
}

static void assert_one(struct fixture *fixture, int error, bool failed)
{
    struct waiter waiter;
    push(fixture, &waiter);
    assert_told(&waiter, error, failed);
}

static void assert_counts(unsigned files, unsigned directories)
{
    assert_int_equal(atomic_load(&syncs.files), files);
    assert_int_equal(atomic_load(&syncs.directories), directories);
}

static void once_until_files_are_made_anew(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned round = 1; round <= 3; round++) {
        for (unsigned again = 0; again < 3; again++)
            assert_one(fixture, 0, false);
        assert_counts(round * BUCKETS, round * 2);
        prefix_names_made(fixture->all, &fixture->names);
    }
}

/* The others sync the rest meanwhile, and are there for others. */
static void file_that_hangs_takes_one_thread(void **state)
{
    struct fixture *fixture = *state;
    struct waiter waiters[WAITERS];
    atomic_store(&syncs.held, inode(fixture, "p/append.7.raw"));
    for (unsigned i = 0; i < WAITERS; i++)
        push(fixture, &waiters[i]);
    await(&syncs.entered);
    /* it is the last of those that one thread has taken together */
    await_count(&syncs.files, BUCKETS - 1);
    struct fixture other = beside(fixture, "q");
    make_prefix(fixture, "q");
    assert_one(&other, 0, false);
    assert_counts(2 * BUCKETS - 1, 2);
    for (unsigned i = 0; i < WAITERS; i++)
        assert_int_equal(sem_trywait(&waiters[i].told), -1);
    assert_int_equal(sem_post(&syncs.released), 0);
    for (unsigned i = 0; i < WAITERS; i++)
        assert_told(&waiters[i], 0, false);
    assert_counts(2 * BUCKETS, 4);
}

/* The others wait for it in a list. */
static void root_that_hangs_takes_one_thread(void **state)
{
    struct fixture *fixture = *state, others[THREADS + 1];
    struct waiter first, waiters[THREADS + 1];
    atomic_store(&syncs.held, inode(fixture, "."));
    push(fixture, &first);
    await(&syncs.entered);
    for (unsigned i = 0; i <= THREADS; i++) {
        static const char *const names[THREADS + 1] = {"a", "b", "c", "d"};
        others[i] = beside(fixture, names[i]);
        make_prefix(fixture, names[i]);
        push(&others[i], &waiters[i]);
    }
    await_count(&syncs.directories, 1 + THREADS + 1); /* p's, and theirs */
    atomic_store(&syncs.held, 0);
    assert_int_equal(sem_post(&syncs.released), 0);
    assert_told(&first, 0, false);
    for (unsigned i = 0; i <= THREADS; i++)
        assert_told(&waiters[i], 0, false);
    assert_counts((THREADS + 2) * BUCKETS, 2 * (THREADS + 2)); /* a sync of the root for each */
}

/* What began before is not enough. */
static void files_that_are_made_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    struct waiter before, after;
    atomic_store(&syncs.held, inode(fixture, "p/append.0.raw"));
    push(fixture, &before);
    await(&syncs.entered);
    prefix_names_made(fixture->all, &fixture->names);
    push(fixture, &after);
    atomic_store(&syncs.held, 0);
    assert_int_equal(sem_post(&syncs.released), 0);
    assert_told(&before, 0, false);
    assert_told(&after, 0, false);
    assert_counts(2 * BUCKETS, 4);
    assert_one(fixture, 0, false);
    assert_counts(2 * BUCKETS, 4);
}

/* All that wait are told the error, those that come later that there was one. */
static void sync_that_fails(void **state)
{
    static const char *const names[] = {"p/append.0.raw", "p/append.19.raw", "p"};
    struct fixture *fixture = *state;
    struct waiter waiters[WAITERS];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        atomic_store(&syncs.fails, inode(fixture, names[i]));
        atomic_store(&syncs.held, inode(fixture, "p/append.9.raw"));
        for (unsigned waiter = 0; waiter < WAITERS; waiter++)
            push(fixture, &waiters[waiter]);
        await(&syncs.entered);
        /* they wait, or are about to: a work that is pushed after them has run */
        struct fixture other = beside(fixture, "none");
        assert_one(&other, -ENOENT, false);
        assert_int_equal(sem_post(&syncs.released), 0);
        unsigned first = 0;
        for (unsigned waiter = 0; waiter < WAITERS; waiter++) {
            /* one whose thread was late comes when it has failed already */
            await(&waiters[waiter].told);
            assert_true(waiters[waiter].failed);
            first += waiters[waiter].error == -EIO;
            if (waiters[waiter].error != -EIO)
                assert_int_equal(waiters[waiter].error, STORE_SYNC_REFUSED);
        }
        assert_true(first > 0);
        atomic_store(&syncs.fails, 0);
        atomic_store(&syncs.held, 0);
        unsigned files = atomic_load(&syncs.files);
        for (unsigned again = 0; again < 3; again++)
            assert_one(fixture, STORE_SYNC_REFUSED, true);
        prefix_names_made(fixture->all, &fixture->names);
        assert_one(fixture, STORE_SYNC_REFUSED, true);
        assert_int_equal(atomic_load(&syncs.files), files);
        fixture->names = (struct prefix_names){.prefix = "p", .buckets = BUCKETS}; /* closed */
        assert_one(fixture, 0, false);
        fixture->names = (struct prefix_names){.prefix = "p", .buckets = BUCKETS};
    }
}

/* No sync has failed, so the next try may succeed. */
static void file_that_cannot_be_opened(void **state)
{
    struct fixture *fixture = *state;
    const char *path = temporary_path(fixture->directory, "p/append.5.raw");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    for (unsigned again = 0; again < 2; again++)
        assert_one(fixture, -EISDIR, false);
    assert_int_equal(rmdir(temporary_path(fixture->directory, "p/append.5.raw")), 0);
    assert_one(fixture, 0, false); /* one that is missing has nothing to sync */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(once_until_files_are_made_anew),
        TEST(file_that_hangs_takes_one_thread),
        TEST(root_that_hangs_takes_one_thread),
        TEST(files_that_are_made_meanwhile),
        TEST(sync_that_fails),
        TEST(file_that_cannot_be_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
