/*
 * Tests of work/router and work/prefix_table: no more prefixes stay open than may be. Those that no
 * request is in flight for are closed, the least recently used first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "store/error.h"
#include "work/page_cache.h"
#include "work/prefix_table.h"

#define MAX_OPEN 3
#define PREFIXES 8

static atomic_uint syncs;
static atomic_int sync_error; /* of the next fdatasync; 0: none */

int fdatasync(int fd)
{
    int (*real)(int);
    *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    (void)atomic_fetch_add(&syncs, 1);
    errno = atomic_exchange(&sync_error, 0);
    return errno != 0 ? -1 : real(fd);
}

static int limited_set_up(void **state)
{
    if (warm_set_up(state) != 0)
        return -1;
    struct fixture *fixture = *state;
    fixture->max_open = MAX_OPEN;
    syncs = 0;
    sync_error = 0;
    return 0;
}

/* "a", "b"... */
static const char *name_of(unsigned number)
{
    static char names[26][2];
    names[number][0] = (char)('a' + number);
    return names[number];
}

static void use(struct fixture *fixture, unsigned number)
{
    assert_int_equal(finish_and_free(fixture, append(fixture, name_of(number), 0, "x")), 0);
}

static void look(struct fixture *fixture, unsigned number)
{
    assert_int_equal(finish_and_free(fixture, get(fixture, name_of(number), 0, 1)),
                     STORE_NOT_FOUND);
}

/* Until those prefixes, a letter each in order, and no others have open files. */
static void await_open(struct fixture *fixture, const char *expected)
{
    char letters[PREFIXES + 1];
    for (;;) {
        unsigned count = 0;
        for (unsigned i = 0; i < PREFIXES; i++)
            if (access(temporary_path(fixture->directory, name_of(i)), F_OK) == 0 &&
                open_files_of(fixture, name_of(i)) > 0)
                letters[count++] = name_of(i)[0];
        letters[count] = '\0';
        if (strcmp(letters, expected) == 0)
            return;
        assert_true(strlen(letters) > strlen(expected));
        turn(fixture);
    }
}

static void await_closed(struct fixture *fixture, const char *prefix)
{
    while (open_files_of(fixture, prefix) > 0)
        turn(fixture);
}

static void least_recently_used_is_closed(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 8, 2);
    static const struct {
        unsigned used;
        const char *open;
    } steps[] = {{0, "a"},   {1, "ab"},  {2, "abc"}, {0, "abc"}, {3, "acd"}, {4, "ade"},
                 {3, "ade"}, {0, "ade"}, {5, "adf"}, {5, "adf"}, {3, "adf"}, {6, "dfg"}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        use(fixture, steps[i].used);
        await_open(fixture, steps[i].open);
    }
    stop(fixture);
}

static void reads_count_as_use_and_open_prefixes_too(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 8, 2);
    for (unsigned i = 0; i < PREFIXES; i++)
        use(fixture, i);
    await_open(fixture, "fgh");
    look(fixture, 5);
    look(fixture, 0);
    await_open(fixture, "afh");
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < PREFIXES; i++)
            look(fixture, i);
    await_open(fixture, "fgh");
    stop(fixture);
}

/* What was written and read is right, however often its prefix was closed. */
static void nothing_is_lost(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 3, 64, 4);
    struct request *requests[PREFIXES];
    for (int64_t round = 0; round < 30; round++) {
        for (unsigned i = 0; i < PREFIXES; i++)
            requests[i] = append(fixture, name_of(i), (uint64_t)round % 4, "x");
        for (unsigned i = 0; i < PREFIXES; i++) {
            assert_int_equal(finish(fixture, requests[i]), 0);
            assert_int_equal(requests[i]->job.offset, round / 4 * 17);
            free_request(requests[i]);
        }
    }
    stop(fixture);
}

static void prefix_in_use_is_not_closed(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 8, 2);
    append_long(fixture, 0);
    struct request *multi = paused_multi(fixture);
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < PREFIXES; i++)
            use(fixture, i);
    await_open(fixture, "gh"); /* and p */
    assert_true(open_files(fixture) > 0);
    finish_multi(fixture, multi);
    for (unsigned i = 0; i < MAX_OPEN; i++)
        use(fixture, i);
    await_open(fixture, "abc");
    await_closed(fixture, "p");
    free_request(multi);
    stop(fixture);
}

/* All are in use, more than may be open. As soon as one is not it is closed. */
static void more_than_may_be_open_are_in_use(void **state)
{
    struct fixture *fixture = *state;
    fixture->max_open = 1;
    start(fixture, 1, 64, 1);
    append_long(fixture, 0);
    for (unsigned i = 0; i < PREFIXES; i++)
        use(fixture, i);
    assert_int_equal(finish_and_free(fixture, get(fixture, "p", 0, 0)), 0);
    struct request *holding = hold_worker(fixture), *requests[PREFIXES];
    for (unsigned i = 0; i < PREFIXES; i++)
        requests[i] = get(fixture, name_of(i), 0, 0);
    assert_int_equal(sem_post(&release), 0);
    for (unsigned i = 0; i < PREFIXES; i++)
        assert_int_equal(finish_and_free(fixture, requests[i]), 0);
    assert_int_equal(finish_and_free(fixture, holding), 0);
    use(fixture, 0);
    await_open(fixture, "a");
    await_closed(fixture, "p");
    stop(fixture);
}

static void requests_that_come_while_it_is_closed_open_it_again(void **state)
{
    struct fixture *fixture = *state;
    fixture->max_open = 1;
    start(fixture, 2, 64, 2);
    for (int64_t round = 0; round < 50; round++) {
        use(fixture, 0);
        use(fixture, 1); /* a is being closed now */
        struct request *requests[] = {append(fixture, "a", 0, "x"), get(fixture, "a", 0, 0),
                                      close_prefix(fixture, "a"), append(fixture, "a", 0, "x")};
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(finish(fixture, requests[i]), 0);
        assert_int_equal(requests[0]->job.offset, 17 * (3 * round + 1));
        assert_int_equal(requests[3]->job.offset, 17 * (3 * round + 2));
        for (unsigned i = 0; i < 4; i++)
            free_request(requests[i]);
    }
    stop(fixture);
}

static void sync_that_is_owed_is_made_first(void **state)
{
    struct fixture *fixture = *state;
    fixture->sync_after_ms = 3600 * 1000;
    fixture->max_open = 1;
    start(fixture, 2, 8, 2);
    use(fixture, 0);
    assert_int_equal(syncs, 0);
    look(fixture, 0);
    use(fixture, 1);
    await_open(fixture, "b");
    assert_int_equal(syncs, 1);
    stop(fixture);
    assert_int_equal(syncs, 2);
}

static struct request *append_synced(struct fixture *fixture, unsigned number)
{
    struct request *request = new_request(fixture, JOB_APPEND, 0);
    assert_int_equal(evbuffer_add(request->job.value, "x", 1), 0);
    request->job.sync = true;
    return submit(fixture, name_of(number), request);
}

/* What is refused until a close must not be taken because others needed the room. */
static void refused_sync_stays_refused(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 8, 2);
    use(fixture, 0);
    sync_error = EIO;
    assert_int_equal(finish_and_free(fixture, append_synced(fixture, 0)), -EIO);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 1; i < PREFIXES; i++)
            use(fixture, i);
    await_open(fixture, "agh");
    assert_int_equal(finish_and_free(fixture, append_synced(fixture, 0)), STORE_SYNC_REFUSED);
    assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "a")), 0);
    assert_int_equal(finish_and_free(fixture, append_synced(fixture, 0)), 0);
    for (unsigned i = 1; i < PREFIXES; i++)
        use(fixture, i);
    await_open(fixture, "fgh");
    stop(fixture);
}

/* The same if the sync is the last one, which is made because the prefix is to be closed. */
static void sync_that_fails_when_it_is_closed_keeps_it_open(void **state)
{
    struct fixture *fixture = *state;
    fixture->sync_after_ms = 3600 * 1000;
    fixture->max_open = 2;
    start(fixture, 2, 8, 2);
    use(fixture, 0);
    use(fixture, 1);
    sync_error = EIO;
    use(fixture, 2);
    struct request *parked = get(fixture, "a", 0, 0);
    await_open(fixture, "ac");
    assert_int_equal(finish_and_free(fixture, parked), 0);
    assert_int_equal(finish_and_free(fixture, append(fixture, "a", 0, "x")), STORE_SYNC_REFUSED);
    assert_int_equal(finish_and_free(fixture, append(fixture, "a", 1, "x")), 0);
    assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "a")), 0);
    use(fixture, 0);
    stop(fixture);
}

/* Few prefixes, but their slots are the same memory as those of many. */
static void open_buckets_are_limited_too(void **state)
{
    struct prefix_table table = {.max_open = 1000};
    struct open_prefix *prefixes[4];
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        prefixes[i] = prefix_table_get(&table, NULL, name_of(i));
        assert_non_null(prefixes[i]);
        prefixes[i]->manifest.buckets = PREFIX_TABLE_BUCKETS_MAX / 2;
        prefix_table_open(&table, prefixes[i]);
        assert_ptr_equal(prefix_table_find_idle(&table), i < 2 ? NULL : prefixes[i - 2]);
        if (i >= 2)
            prefix_table_shut(&table, prefixes[i - 2]);
    }
    prefix_table_use(&table, prefixes[2]);
    table.open_buckets++;
    assert_ptr_equal(prefix_table_find_idle(&table), prefixes[3]);
    prefix_table_shut(&table, prefixes[3]);
    assert_null(prefix_table_find_idle(&table)); /* one stays, however many buckets it has */
    table.open_buckets = PREFIX_TABLE_BUCKETS_MAX + 1;
    assert_null(prefix_table_find_idle(&table));
    prefix_table_clear(&table);
}

#define LIMITED_TEST(name) cmocka_unit_test_setup_teardown(name, limited_set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMITED_TEST(least_recently_used_is_closed),
        LIMITED_TEST(reads_count_as_use_and_open_prefixes_too),
        LIMITED_TEST(nothing_is_lost),
        LIMITED_TEST(prefix_in_use_is_not_closed),
        LIMITED_TEST(more_than_may_be_open_are_in_use),
        LIMITED_TEST(requests_that_come_while_it_is_closed_open_it_again),
        LIMITED_TEST(sync_that_is_owed_is_made_first),
        LIMITED_TEST(refused_sync_stays_refused),
        LIMITED_TEST(sync_that_fails_when_it_is_closed_keeps_it_open),
        cmocka_unit_test(open_buckets_are_limited_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
