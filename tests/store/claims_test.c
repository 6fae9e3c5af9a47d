/*
 * Tests of store/claims: a directory is in use under one name at a time.
 * This program brings its own fstatat, in which all names that begin with t lead to one directory,
 * as on a file system that does not tell upper from lower case.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/failing.h"
#include "lib/temporary.h"
#include "store/claims.h"
#include "store/error.h"

#define MANY 1000

FAILING_MALLOC
FAILING_CALLOC

static int lock_error; /* of every call that makes or takes a lock */
int __real_pthread_mutex_init(pthread_mutex_t *lock, const pthread_mutexattr_t *attributes);
int __wrap_pthread_mutex_init(pthread_mutex_t *lock, const pthread_mutexattr_t *attributes);
int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);

int __wrap_pthread_mutex_init(pthread_mutex_t *lock, const pthread_mutexattr_t *attributes)
{
    return lock_error != 0 ? lock_error : __real_pthread_mutex_init(lock, attributes);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
    return lock_error != 0 ? lock_error : __real_pthread_mutex_lock(lock);
}

/* What a name is looked up for, with the lock given up: `meanwhile` is done before. */
static struct failing fail_fstatat64;
static void (*meanwhile)(void);
int __real_fstatat64(int fd, const char *name, struct stat *status, int flags);
int __wrap_fstatat64(int fd, const char *name, struct stat *status, int flags);

int __wrap_fstatat64(int fd, const char *name, struct stat *status, int flags)
{
    if (meanwhile != NULL) {
        void (*once)(void) = meanwhile;
        meanwhile = NULL;
        once();
    }
    if (failing_now(&fail_fstatat64))
        return -1;
    return __real_fstatat64(fd, name[0] == 't' ? "t0" : name, status, flags);
}

static struct {
    void *directory;
    int root_fd;
    struct claims *claims;
} fixture;

static int set_up(void **state)
{
    *state = &fixture;
    lock_error = 0;
    meanwhile = NULL;
    if (temporary_make(&fixture.directory) != 0)
        return -1;
    fixture.root_fd = open(fixture.directory, O_RDONLY | O_DIRECTORY);
    return fixture.root_fd < 0 || claims_new(&fixture.claims) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    claims_free(fixture.claims);
    return close(fixture.root_fd) != 0 || temporary_remove(&fixture.directory) != 0;
}

static void make(const char *name)
{
    assert_int_equal(mkdirat(fixture.root_fd, name, 0700), 0);
}

static void move(const char *from, const char *to)
{
    assert_int_equal(renameat(fixture.root_fd, from, fixture.root_fd, to), 0);
}

static struct stat status_of(const char *name)
{
    struct stat status;
    assert_int_equal(__real_fstatat64(fixture.root_fd, name, &status, 0), 0);
    return status;
}

/* As if `name` had led to the directory that is `real`. */
static int take_as(const char *name, const char *real)
{
    struct stat status = status_of(real);
    return claims_take(fixture.claims, fixture.root_fd, name, status.st_dev, status.st_ino);
}

static int take(const char *name)
{
    return take_as(name, name);
}

static const char *holder(const char *real)
{
    static char name[NAME_MAX + 1];
    struct stat status = status_of(real);
    claims_holder(fixture.claims, status.st_dev, status.st_ino, name);
    return name;
}

static void second_name_is_refused_as_long_as_the_first_is_in_use(void **state)
{
    (void)state;
    make("p");
    assert_string_equal(holder("p"), "");
    for (int again = 0; again < 3; again++) {
        assert_int_equal(take("p"), 0);
        assert_int_equal(take("p"), 0);
        assert_int_equal(take_as("P", "p"), STORE_SAME_DIRECTORY);
        assert_string_equal(holder("p"), "p");
    }
    claims_release(fixture.claims, "none");
    claims_release(fixture.claims, "p");
    assert_string_equal(holder("p"), "");
    assert_int_equal(take("p"), 0);
    claims_release(fixture.claims, "p");
}

static void each_directory_has_a_name_of_its_own(void **state)
{
    char name[16];
    (void)state;
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "n%d", i);
        make(name);
        assert_int_equal(take(name), 0);
    }
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "n%d", i);
        assert_string_equal(holder(name), name);
        assert_int_equal(take_as("other", name), STORE_SAME_DIRECTORY);
    }
}

/* Its inode number may be that of the next directory that is made. */
static void directory_that_its_name_has_lost_is_free(void **state)
{
    (void)state;
    make("p");
    assert_int_equal(take("p"), 0);
    move("p", "q"); /* under the same inode number */
    assert_int_equal(take("q"), 0);
    assert_string_equal(holder("q"), "q");
    make("p");
    assert_int_equal(take("p"), 0); /* made anew */
    assert_string_equal(holder("p"), "p");
    assert_int_equal(take_as("P", "p"), STORE_SAME_DIRECTORY);
    assert_int_equal(take_as("Q", "q"), STORE_SAME_DIRECTORY);
    move("p", "r");
    move("q", "p"); /* now p leads to what q has, and q to nothing */
    assert_int_equal(take("p"), 0);
    assert_string_equal(holder("p"), "p");
    assert_string_equal(holder("r"), "");
    move("p", "s");
    make("p"); /* by somebody else: the name is there, and leads to another directory */
    assert_int_equal(take("s"), 0);
    assert_string_equal(holder("s"), "s");
}

static void name_gives_up_the_directory_that_it_had(void **state)
{
    (void)state;
    make("p");
    assert_int_equal(take("p"), 0);
    move("p", "before");
    make("p");
    assert_int_equal(take("p"), 0);
    assert_string_equal(holder("before"), "");
    assert_int_equal(take("before"), 0);
}

static void move_back_and_take(void)
{
    move("q", "p");
    assert_int_equal(take("p"), 0);
    move("p", "q");
}

static void move_back_and_take_and_leave(void)
{
    move("q", "p");
    assert_int_equal(take("p"), 0);
}

/* The first name is looked at without the lock, and is used meanwhile. */
static void first_name_that_is_used_meanwhile_is_looked_at_again(void **state)
{
    (void)state;
    make("p");
    assert_int_equal(take("p"), 0);
    move("p", "q");
    struct stat status = status_of("q");
    meanwhile = move_back_and_take;
    assert_int_equal(
        claims_take(fixture.claims, fixture.root_fd, "q", status.st_dev, status.st_ino), 0);
    assert_string_equal(holder("q"), "q");
    claims_release(fixture.claims, "q");
    move("q", "p");
    assert_int_equal(take("p"), 0);
    move("p", "q");
    meanwhile = move_back_and_take_and_leave;
    assert_int_equal(
        claims_take(fixture.claims, fixture.root_fd, "q", status.st_dev, status.st_ino),
        STORE_SAME_DIRECTORY);
    assert_string_equal(holder("p"), "p");
}

static void errors_are_told_and_nothing_is_lost(void **state)
{
    (void)state;
    make("p");
    make("q");
    assert_int_equal(take("p"), 0);
    failing_arm(&fail_fstatat64, 1, EIO);
    assert_int_equal(take_as("P", "p"), -EIO);
    assert_true(failing_disarm(&fail_fstatat64));
    lock_error = EINVAL;
    assert_int_equal(take("q"), -EINVAL);
    assert_int_equal(take("p"), -EINVAL);
    assert_string_equal(holder("p"), "");
    claims_release(fixture.claims, "p");
    struct claims *claims = NULL;
    assert_int_equal(claims_new(&claims), -EINVAL);
    assert_null(claims);
    lock_error = 0;
    assert_string_equal(holder("p"), "p");
    failing_arm(&fail_calloc, 1, ENOMEM);
    assert_int_equal(claims_new(&claims), -ENOMEM);
    assert_true(failing_disarm(&fail_calloc));
    assert_null(claims);
    claims_free(NULL);
}

/* Each allocation fails once; then the name can be taken after all. */
static void without_memory(void **state)
{
    static struct failing *const calls[] = {&fail_malloc, &fail_calloc};
    (void)state;
    make("p");
    unsigned failures = 0;
    for (int i = 0; i < 2; i++) {
        bool failed = true;
        for (int nth = 1; failed; nth++) {
            claims_free(fixture.claims);
            assert_int_equal(claims_new(&fixture.claims), 0);
            struct stat status = status_of("p");
            failing_arm(calls[i], nth, ENOMEM);
            int error =
                claims_take(fixture.claims, fixture.root_fd, "p", status.st_dev, status.st_ino);
            failed = failing_disarm(calls[i]);
            failures += failed;
            assert_int_equal(error, failed ? -ENOMEM : 0);
            assert_int_equal(take("p"), 0);
            assert_string_equal(holder("p"), "p");
            assert_int_equal(take_as("P", "p"), STORE_SAME_DIRECTORY);
        }
    }
    assert_true(failures >= 4); /* the claim, and the two tables with their buckets */
}

#define THREADS 8
#define ROUNDS 500

static struct stat shared;

/* Each has a name of its own for the same directory; only one at a time has it. */
static void *take_and_release(void *argument)
{
    static atomic_int inside;
    const char *name = argument;
    for (int round = 0; round < ROUNDS; round++) {
        int error =
            claims_take(fixture.claims, fixture.root_fd, name, shared.st_dev, shared.st_ino);
        if (error == STORE_SAME_DIRECTORY)
            continue;
        if (error != 0 || atomic_fetch_add(&inside, 1) != 0)
            return argument;
        (void)atomic_fetch_sub(&inside, 1);
        claims_release(fixture.claims, name);
    }
    return NULL;
}

static void threads_share_a_directory_one_after_the_other(void **state)
{
    static char names[THREADS][8];
    pthread_t threads[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "t%d", i);
    }
    make("t0");
    shared = status_of("t0");
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_release, names[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(second_name_is_refused_as_long_as_the_first_is_in_use),
        TEST(each_directory_has_a_name_of_its_own),
        TEST(directory_that_its_name_has_lost_is_free),
        TEST(name_gives_up_the_directory_that_it_had),
        TEST(first_name_that_is_used_meanwhile_is_looked_at_again),
        TEST(errors_are_told_and_nothing_is_lost),
        TEST(without_memory),
        TEST(threads_share_a_directory_one_after_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
