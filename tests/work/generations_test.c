/*
 * Tests of work/router: a close waits for the replies in pieces that are under way, and the
 * requests that come after it do not: they are served by a new generation of the prefix.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "store/error.h"
#include "work/page_cache.h"

#define BUCKETS 4
#define RECORD_BYTES (16 + 1) /* of a value of one byte */

/* The prefix p has the long value in bucket 0 and a file of each other bucket is open too. */
static void open_all(struct fixture *fixture)
{
    append_long(fixture, 0);
    for (unsigned i = 1; i < BUCKETS; i++)
        assert_int_equal(finish_and_free(fixture, append(fixture, "p", i, "x")), 0);
    assert_int_equal(open_files(fixture), BUCKETS);
}

static void assert_appended(struct fixture *fixture, uint64_t id_hash, int64_t offset)
{
    struct request *request = append(fixture, "p", id_hash, "x");
    assert_int_equal(finish(fixture, request), 0);
    assert_int_equal(request->job.offset, offset);
    free_request(request);
}

static void assert_found(struct fixture *fixture, uint64_t id_hash, int64_t offset)
{
    struct request *request = get(fixture, "p", id_hash, offset);
    assert_int_equal(finish(fixture, request), 0);
    assert_int_equal(request->job.small_bytes, 1);
    free_request(request);
}

/* What is closed without a reply to wait for is closed soon. */
static void await_open_files(struct fixture *fixture, unsigned count)
{
    while (open_files(fixture) != count)
        turn(fixture);
}

static void appends_do_not_wait_for_a_reader(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 8, BUCKETS);
    open_all(fixture);
    struct request *multi = paused_multi(fixture), *closing = close_prefix(fixture, "p");
    for (int64_t i = 1; i <= 10; i++) {
        assert_appended(fixture, 1, i * RECORD_BYTES);
        assert_found(fixture, 1, i * RECORD_BYTES);
        assert_appended(fixture, 0, 16 + LONG_BYTES + (i - 1) * RECORD_BYTES);
        assert_int_equal(closing->answers, 0);
    }
    assert_int_equal(open_files(fixture), 3); /* that of the reader, and those of the appends */
    finish_multi(fixture, multi);
    assert_int_equal(finish(fixture, closing), 0);
    assert_int_equal(multi->done_as + 1, closing->done_as);
    assert_int_equal(open_files(fixture), 2);
    assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "p")), 0);
    assert_int_equal(open_files(fixture), 0);
    free_request(multi);
    free_request(closing);
    stop(fixture);
}

/* They come before the files are closed for appending. */
static void requests_that_come_at_once_do_not_wait_either(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 16, BUCKETS);
    open_all(fixture);
    struct request *multi = paused_multi(fixture);
    struct request *before = append(fixture, "p", 1, "x"), *closing = close_prefix(fixture, "p"),
                   *after = append(fixture, "p", 1, "x"), *second = close_prefix(fixture, "p"),
                   *last = append(fixture, "p", 1, "x");
    assert_int_equal(finish(fixture, last), 0);
    assert_int_equal(before->job.offset, RECORD_BYTES);
    assert_int_equal(after->job.offset, 2 * RECORD_BYTES);
    assert_int_equal(last->job.offset, 3 * RECORD_BYTES);
    assert_true(before->done_as < after->done_as && after->done_as < last->done_as);
    assert_int_equal(closing->answers + second->answers, 0);
    finish_multi(fixture, multi);
    assert_int_equal(finish(fixture, second), 0);
    assert_int_equal(closing->done_as + 1, second->done_as);
    struct request *all[] = {multi, before, closing, after, second, last};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        free_request(all[i]);
    stop(fixture);
}

/* Also those of the generations before the one that it closes. */
static void close_waits_for_all_readers_before_it(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 16, BUCKETS);
    open_all(fixture);
    struct request *multis[3], *closing[3];
    for (unsigned i = 0; i < 3; i++) {
        multis[i] = paused_multi(fixture);
        closing[i] = close_prefix(fixture, "p");
        assert_appended(fixture, 2, (i + 1) * RECORD_BYTES);
    }
    /* no reader has come since; and then the prefix is not open any more */
    struct request *unread = close_prefix(fixture, "p"), *shut = close_prefix(fixture, "p");
    assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "q")), 0);
    finish_multi(fixture, multis[1]);
    finish_multi(fixture, multis[2]);
    assert_int_equal(finish_and_free(fixture, append(fixture, "q", 0, "y")), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(closing[i]->answers, 0);
    assert_int_equal(unread->answers + shut->answers, 0);
    await_open_files(fixture, 1);
    finish_multi(fixture, multis[0]);
    assert_int_equal(finish(fixture, shut), 0);
    assert_int_equal(unread->done_as + 1, shut->done_as);
    assert_int_equal(open_files(fixture), 0);
    unsigned first = multis[0]->done_as;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(closing[i]->done_as > first);
        assert_true(closing[i]->done_as < unread->done_as);
        free_request(multis[i]);
        free_request(closing[i]);
    }
    free_request(unread);
    free_request(shut);
    stop(fixture);
}

static void reader_of_a_newer_generation_does_not_hold_up_an_older_close(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 16, BUCKETS);
    open_all(fixture);
    struct request *older = paused_multi(fixture), *closing = close_prefix(fixture, "p");
    struct request *newer = paused_multi(fixture);
    await_open_files(fixture, 2);
    router_abandon(fixture->router, &older->job);
    assert_int_equal(finish_and_free(fixture, closing), 0);
    assert_int_equal(open_files(fixture), 1);
    finish_multi(fixture, newer);
    free_request(older);
    free_request(newer);
    stop(fixture);
}

/* The reader goes on in the file that it has open, and never in another one. */
static void reader_keeps_its_file_when_the_directory_is_made_anew(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 8, BUCKETS);
    open_all(fixture);
    struct request *multi = paused_multi(fixture), *closing = close_prefix(fixture, "p");
    assert_appended(fixture, 1, RECORD_BYTES);
    assert_int_equal(temporary_empty(temporary_path(fixture->directory, "p")), 0);
    assert_appended(fixture, 0, 0);
    assert_found(fixture, 0, 0);
    finish_multi(fixture, multi);
    assert_int_equal(finish_and_free(fixture, closing), 0);
    free_request(multi);
    stop(fixture);
}

/* With one descriptor its file is closed for others. It was appended to meanwhile, so whether it is
 * the same one is not certain: the reply is broken off. */
static void reader_whose_file_was_closed_and_appended_to_gets_an_error(void **state)
{
    struct fixture *fixture = *state;
    fixture->max_files = 0; /* and one of each worker */
    start(fixture, 1, 8, BUCKETS);
    append_long(fixture, 0);
    struct request *multi = paused_multi(fixture), *closing = close_prefix(fixture, "p");
    size_t begun = evbuffer_get_length(multi->reply);
    assert_appended(fixture, 0, 16 + LONG_BYTES);
    router_resume(fixture->router, &multi->job);
    assert_int_equal(finish(fixture, multi), STORE_CHANGED);
    assert_int_equal(evbuffer_get_length(multi->reply), begun);
    assert_int_equal(finish_and_free(fixture, closing), 0);
    free_request(multi);
    stop(fixture);
}

/* It was not appended to: the reply goes on. */
static void reader_whose_file_was_closed_for_others_goes_on(void **state)
{
    struct fixture *fixture = *state;
    fixture->max_files = 0;
    start(fixture, 1, 8, BUCKETS);
    append_long(fixture, 0);
    struct request *multi = paused_multi(fixture), *closing = close_prefix(fixture, "p");
    assert_appended(fixture, 1, 0);
    finish_multi(fixture, multi);
    assert_int_equal(finish_and_free(fixture, closing), 0);
    free_request(multi);
    stop(fixture);
}

#define MEDIUM_BYTES 100000

/* The beginning of the long value. */
static void append_medium(struct fixture *fixture, uint64_t id_hash)
{
    struct request *request = new_request(fixture, JOB_APPEND, id_hash);
    assert_int_equal(evbuffer_add(request->job.value, long_value, MEDIUM_BYTES), 0);
    assert_int_equal(finish_and_free(fixture, submit(fixture, "p", request)), 0);
}

static void assert_got(struct fixture *fixture, struct request *request, size_t bytes)
{
    assert_int_equal(finish(fixture, request), 0);
    assert_int_equal(evbuffer_get_length(request->reply), bytes);
    assert_memory_equal(evbuffer_pullup(request->reply, -1), long_value, bytes);
    free_request(request);
}

/* The worker gets a read of bucket 1 and the close in one drain: the loop has not heard of the read
 * since it began. */
static void close_at_once(struct fixture *fixture, size_t bytes)
{
    struct request *holding = hold_worker(fixture);
    beginning_cached = true;
    struct request *read = get(fixture, "p", 1, 0), *closing = close_prefix(fixture, "p"),
                   *after = append(fixture, "p", 1, "x");
    assert_int_equal(sem_post(&release), 0);
    assert_got(fixture, read, bytes);
    assert_int_equal(finish_and_free(fixture, after), 0);
    assert_int_equal(finish_and_free(fixture, closing), 0);
    assert_got(fixture, holding, LONG_BYTES);
}

static void read_whose_first_piece_comes_just_before_the_close(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 8, BUCKETS);
    append_long(fixture, 0);
    append_long(fixture, 1);
    close_at_once(fixture, LONG_BYTES);
    stop(fixture);
}

/* In a cold page cache, from which only the first part can be read at once. */
static void read_that_has_begun_and_waits_for_the_disk_at_the_close(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 8, BUCKETS);
    append_long(fixture, 0);
    append_medium(fixture, 1);
    /* so that the next read there begins with a part of the value: see reader.h */
    assert_got(fixture, get(fixture, "p", 1, 0), MEDIUM_BYTES);
    close_at_once(fixture, MEDIUM_BYTES);
    stop(fixture);
}

static atomic_uint syncs;

int fdatasync(int fd)
{
    int (*real)(int);
    *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    (void)atomic_fetch_add(&syncs, 1);
    return real(fd);
}

/* It is made before requests go on, although the file stays open for its reader. */
static void sync_that_is_due_does_not_wait_for_a_reader(void **state)
{
    struct fixture *fixture = *state;
    fixture->sync_after_ms = 3600 * 1000;
    start(fixture, 1, 8, BUCKETS);
    open_all(fixture);
    struct request *multi = paused_multi(fixture);
    syncs = 0;
    struct request *closing = close_prefix(fixture, "p");
    assert_int_equal(finish_and_free(fixture, get(fixture, "p", 0, 1)), STORE_NOT_FOUND);
    assert_int_equal(syncs, BUCKETS);
    finish_multi(fixture, multi);
    assert_int_equal(finish_and_free(fixture, closing), 0);
    assert_int_equal(syncs, BUCKETS);
    free_request(multi);
    stop(fixture);
}

#define ROUNDS 50

/* Nothing is left of the generations: neither descriptors nor requests. */
static void many_generations(void **state)
{
    struct fixture *fixture = *state;
    struct request *multis[ROUNDS], *closing[ROUNDS];
    start(fixture, 3, 4 * ROUNDS, BUCKETS);
    open_all(fixture);
    for (unsigned i = 0; i < ROUNDS; i++) {
        multis[i] = paused_multi(fixture);
        closing[i] = close_prefix(fixture, "p");
        assert_appended(fixture, i % BUCKETS,
                        (i % BUCKETS == 0 ? 16 + LONG_BYTES : RECORD_BYTES) +
                            i / BUCKETS * RECORD_BYTES);
        assert_true(open_files(fixture) <= i + 1 + BUCKETS);
    }
    for (unsigned i = 0; i < ROUNDS; i++) { /* in another order than that in which they began */
        struct request *multi = multis[(i * 7 + 3) % ROUNDS];
        if (i % 5 == 0)
            router_abandon(fixture->router, &multi->job);
        else
            finish_multi(fixture, multi);
        free_request(multi);
    }
    for (unsigned i = 0; i < ROUNDS; i++)
        assert_int_equal(finish(fixture, closing[i]), 0);
    for (unsigned i = 1; i < ROUNDS; i++)
        assert_true(closing[i]->done_as > closing[i - 1]->done_as);
    for (unsigned i = 0; i < ROUNDS; i++)
        free_request(closing[i]);
    assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "p")), 0);
    assert_int_equal(open_files(fixture), 0);
    stop(fixture);
}

/* The reader's connection is gone before the loop ends, and with it nobody waits for the rest. */
static void stop_with_an_old_generation(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 8, BUCKETS);
    open_all(fixture);
    struct request *multi = paused_multi(fixture), *closing = close_prefix(fixture, "p");
    assert_appended(fixture, 0, 16 + LONG_BYTES);
    router_abandon(fixture->router, &multi->job);
    assert_int_equal(finish_and_free(fixture, closing), 0);
    free_request(multi);
    stop(fixture); /* the newer one is open */
    assert_int_equal(open_files(fixture), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(appends_do_not_wait_for_a_reader),
        TEST(requests_that_come_at_once_do_not_wait_either),
        TEST(close_waits_for_all_readers_before_it),
        TEST(reader_of_a_newer_generation_does_not_hold_up_an_older_close),
        TEST(reader_keeps_its_file_when_the_directory_is_made_anew),
        TEST(reader_whose_file_was_closed_and_appended_to_gets_an_error),
        TEST(reader_whose_file_was_closed_for_others_goes_on),
        TEST(read_whose_first_piece_comes_just_before_the_close),
        TEST(read_that_has_begun_and_waits_for_the_disk_at_the_close),
        TEST(sync_that_is_due_does_not_wait_for_a_reader),
        TEST(many_generations),
        TEST(stop_with_an_old_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
