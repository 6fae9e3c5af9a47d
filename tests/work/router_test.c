/*
 * Tests of work/router: which bucket a job goes to, and what waits for what.
 * Replies in pieces are in router_pieces_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "store/error.h"
#include "work/loop.h"

#define HEADER_BYTES 16

static void assert_small(struct fixture *fixture, struct request *request, const char *value)
{
    assert_int_equal(finish(fixture, request), 0);
    assert_int_equal(request->job.value_bytes, strlen(value));
    assert_int_equal(request->job.small_bytes, strlen(value));
    assert_memory_equal(request->job.small, value, strlen(value));
    free_request(request);
}

static bool exists(const struct fixture *fixture, const char *name)
{
    return access(temporary_path(fixture->directory, name), F_OK) == 0;
}

static void value_goes_in_and_comes_out(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 1, 8, 10);
    struct request *request = append(fixture, "p", 1003, "hello");
    assert_int_equal(finish(fixture, request), 0);
    assert_int_equal(request->job.offset, 0);
    assert_int_equal(request->job.bucket, 3);
    assert_non_null(request->job.route.prefix);
    assert_int_equal(evbuffer_get_length(request->job.value), 5); /* only read */
    free_request(request);
    struct stat status;
    assert_int_equal(stat(temporary_path(fixture->directory, "p/append.3.raw"), &status), 0);
    assert_int_equal(status.st_size, HEADER_BYTES + 5);
    assert_small(fixture, get(fixture, "p", 1003, 0), "hello");
    request = get(fixture, "p", 1003, 1);
    assert_int_equal(finish(fixture, request), STORE_NOT_FOUND);
    assert_non_null(request->job.route.prefix); /* a bucket was asked */
    free_request(request);
    stop(fixture);
    router_free(NULL);
}

static void every_id_goes_to_its_bucket(void **state)
{
    static const uint64_t hashes[] = {0, 1, 6, 7, 8, UINT64_MAX, 1ULL << 63, 0x9e3779b97f4a7c15};
    static const unsigned modulo_7[] = {0, 1, 6, 0, 1, 1, 1, 4}; /* worked out apart */
    struct fixture *fixture = *state;
    for (unsigned workers = 1; workers <= 3; workers++) {
        start(fixture, workers, 64, 7);
        for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
            struct request *request = append(fixture, "p", hashes[i], "x");
            assert_int_equal(finish(fixture, request), 0);
            assert_int_equal(request->job.bucket, modulo_7[i]);
            assert_small(fixture, get(fixture, "p", hashes[i], request->job.offset), "x");
            free_request(request);
        }
        stop(fixture);
    }
}

static void prefix_keeps_its_number_of_buckets(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 8, 3);
    assert_int_equal(finish_and_free(fixture, append(fixture, "p", 5, "old")), 0);
    stop(fixture);
    start(fixture, 1, 8, 4);
    assert_small(fixture, get(fixture, "p", 5, 0), "old");
    struct request *old = append(fixture, "p", 5, "on"), *new = append(fixture, "q", 5, "other");
    assert_int_equal(finish(fixture, old), 0);
    assert_int_equal(finish(fixture, new), 0);
    assert_int_equal(old->job.bucket, 2);
    assert_int_equal(old->job.offset, HEADER_BYTES + 3);
    assert_int_equal(new->job.bucket, 1);
    free_request(old);
    free_request(new);
    stop(fixture);
}

#define BURST 50

static void order_is_kept(void **state)
{
    struct request *requests[BURST];
    struct fixture *fixture = *state;
    start(fixture, 2, BURST, 4);
    for (unsigned round = 0; round < 3; round++) { /* the first round is parked */
        done_count = 0;
        for (unsigned i = 0; i < BURST; i++)
            requests[i] = append(fixture, "p", 9, "1234");
        assert_int_equal(router_in_flight(fixture->router), BURST);
        for (unsigned i = 0; i < BURST; i++) {
            assert_int_equal(finish(fixture, requests[i]), 0);
            assert_int_equal(requests[i]->job.offset, (round * BURST + i) * (HEADER_BYTES + 4));
            assert_int_equal(requests[i]->done_as, i + 1);
            assert_int_equal(requests[i]->answers, 1);
            free_request(requests[i]);
        }
    }
    stop(fixture);
}

static void unknown_prefix_is_not_made_by_a_read(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 8, 4);
    static const enum job_kind kinds[] = {JOB_READ, JOB_READ_MULTI};
    for (int i = 0; i < 2; i++) {
        struct request *request = submit(fixture, "p", new_request(fixture, kinds[i], 1));
        assert_int_equal(finish(fixture, request), STORE_NO_PREFIX);
        assert_null(request->job.route.prefix);
        free_request(request);
        assert_false(exists(fixture, "p"));
    }
    /* parked together: the read comes first and finds nothing, the append makes the prefix */
    struct request *read = get(fixture, "p", 1, 0), *write = append(fixture, "p", 1, "x");
    assert_int_equal(finish(fixture, write), 0);
    assert_int_equal(read->job.error, STORE_NO_PREFIX);
    assert_null(read->job.route.prefix);
    assert_int_equal(read->done_as + 1, write->done_as);
    free_request(read);
    free_request(write);
    stop(fixture);
}

static void prefix_that_cannot_be_opened_can_be_later(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 8, 4);
    assert_int_equal(mkdir(temporary_path(fixture->directory, "p"), 0700), 0);
    static const char *const gap[] = {"p/append.0.raw", "p/append.2.raw"};
    for (int i = 0; i < 2; i++)
        (void)close(open(temporary_path(fixture->directory, gap[i]), O_WRONLY | O_CREAT, 0600));
    FILE *manifest = fopen(temporary_path(fixture->directory, "p/MANIFEST"), "we");
    assert_non_null(manifest);
    assert_true(fputs("rochefort 1\nbuckets 3\nhash xxh3\n", manifest) >= 0);
    assert_int_equal(fclose(manifest), 0);
    struct request *write = append(fixture, "p", 1, "x"), *read = get(fixture, "p", 1, 0);
    assert_int_equal(finish(fixture, write), STORE_FILES_MISSING);
    assert_int_equal(finish(fixture, read), STORE_FILES_MISSING);
    assert_int_equal(write->job.bucket, 1); /* the one that is missing */
    assert_int_equal(read->job.bucket, 1);
    assert_null(write->job.route.prefix);
    assert_null(read->job.route.prefix);
    free_request(write);
    free_request(read);
    (void)close(
        open(temporary_path(fixture->directory, "p/append.1.raw"), O_WRONLY | O_CREAT, 0600));
    write = append(fixture, "p", 5, "x");
    assert_int_equal(finish(fixture, write), 0);
    assert_int_equal(write->job.bucket, 2); /* of three */
    free_request(write);
    stop(fixture);
}

/* Reading leaves a prefix whose creation was cut short as it is; an append does not. */
static void append_completes_what_a_read_has_found(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 8, 9);
    assert_int_equal(mkdir(temporary_path(fixture->directory, "p"), 0700), 0);
    const char *last = temporary_path(fixture->directory, "p/append.3.raw");
    (void)close(open(last, O_WRONLY | O_CREAT, 0600));
    assert_int_equal(finish_and_free(fixture, get(fixture, "p", 1, 0)), STORE_NO_PREFIX);
    assert_int_equal(finish_and_free(fixture, get(fixture, "p", 3, 0)), STORE_NO_PREFIX);
    assert_false(exists(fixture, "p/append.1.raw"));
    struct request *write = append(fixture, "p", 5, "x"); /* 5 modulo 4 */
    assert_int_equal(finish(fixture, write), 0);
    assert_int_equal(write->job.bucket, 1);
    assert_true(exists(fixture, "p/append.0.raw"));
    assert_small(fixture, get(fixture, "p", 5, 0), "x");
    free_request(write);
    stop(fixture);
}

/* Nothing is acknowledged into a file that nobody can find. */
static void append_to_a_deleted_directory_makes_it_anew(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 8, 4);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(finish_and_free(fixture, append(fixture, "p", 0, "x")), 0);
        assert_int_equal(finish_and_free(fixture, append(fixture, "p", 3, "x")), 0);
        assert_int_equal(temporary_empty(temporary_path(fixture->directory, "p")), 0);
        /* 1 is not open yet in the first round; all four are at work */
        struct request *writes[8];
        for (unsigned i = 0; i < 8; i++)
            writes[i] = append(fixture, "p", i % 4, "new");
        for (unsigned i = 0; i < 8; i++) {
            assert_int_equal(finish(fixture, writes[i]), 0);
            assert_int_equal(writes[i]->job.offset, i < 4 ? 0 : 19);
            free_request(writes[i]);
        }
        assert_small(fixture, get(fixture, "p", 1, 0), "new");
        struct stat status;
        assert_int_equal(stat(temporary_path(fixture->directory, "p/append.3.raw"), &status), 0);
        assert_int_equal(status.st_size, 38);
        assert_false(exists(fixture, "p/append.4.raw"));
        assert_int_equal(open_files(fixture), 4); /* a deleted one would count too */
    }
    stop(fixture);
}

/* If others are there, its data may be somewhere too: nothing is made. */
static void append_to_a_deleted_file_is_refused(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 8, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(finish_and_free(fixture, append(fixture, "p", i, "x")), 0);
    static const char *const files[] = {"p/append.1.raw", "p/append.3.raw"};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(unlink(temporary_path(fixture->directory, files[i])), 0);
        for (int again = 0; again < 2; again++)
            assert_int_equal(finish_and_free(fixture, append(fixture, "p", 1 + 2 * i, "y")),
                             STORE_FILES_MISSING);
        assert_false(exists(fixture, files[i]));
    }
    assert_int_equal(finish_and_free(fixture, append(fixture, "p", 2, "y")), 0);
    stop(fixture);
}

static void too_much_under_way_is_refused(void **state)
{
    struct request *requests[5];
    struct fixture *fixture = *state;
    start(fixture, 1, 4, 4);
    for (int round = 0; round < 3; round++) { /* parked, then twice open */
        for (unsigned i = 0; i < 5; i++)
            requests[i] = append(fixture, "p", i, "x");
        for (unsigned i = 0; i < 5; i++) {
            assert_int_equal(finish(fixture, requests[i]), i < 4 ? 0 : JOB_TOO_MANY_IN_FLIGHT);
            assert_int_equal(requests[i]->job.route.prefix == NULL, i == 4);
            free_request(requests[i]);
        }
    }
    stop(fixture);
}

static void close_closes_every_file(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 3, 64, 8);
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 8; i++) {
            struct request *request = append(fixture, "p", i, "gone");
            assert_int_equal(finish(fixture, request), 0);
            assert_int_equal(request->job.offset, 0); /* anew, after the directory was deleted */
            free_request(request);
        }
        assert_int_equal(open_files(fixture), 8);
        assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "p")), 0);
        assert_int_equal(open_files(fixture), 0);
        assert_int_equal(temporary_empty(temporary_path(fixture->directory, "p")), 0);
    }
    stop(fixture);
}

static void close_of_a_prefix_that_is_not_open(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 8, 4);
    assert_int_equal(finish_and_free(fixture, close_prefix(fixture, "p")), 0);
    assert_false(exists(fixture, "p"));
    struct request *first = close_prefix(fixture, "p"), *second = close_prefix(fixture, "p");
    assert_int_equal(finish(fixture, second), 0);
    assert_int_equal(first->done_as + 1, second->done_as);
    free_request(first);
    free_request(second);
    stop(fixture);
}

static void close_is_ordered(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 2, 64, 4);
    for (int64_t round = 0; round < 20; round++) { /* at first nothing is open, then everything */
        done_count = 0;
        struct request *requests[] = {
            append(fixture, "p", 1, "before"), close_prefix(fixture, "p"),
            append(fixture, "p", 1, "after1"), close_prefix(fixture, "p"),
            close_prefix(fixture, "p"),        append(fixture, "p", 1, "after2"),
        };
        for (unsigned i = 0; i < 6; i++) {
            assert_int_equal(finish(fixture, requests[i]), 0);
            assert_int_equal(requests[i]->done_as, i + 1);
        }
        assert_int_equal(requests[0]->job.offset, 66 * round);
        assert_int_equal(requests[2]->job.offset, 66 * round + 22);
        assert_int_equal(requests[5]->job.offset, 66 * round + 44);
        for (unsigned i = 0; i < 6; i++)
            free_request(requests[i]);
    }
    stop(fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(value_goes_in_and_comes_out),
        TEST(every_id_goes_to_its_bucket),
        TEST(prefix_keeps_its_number_of_buckets),
        TEST(order_is_kept),
        TEST(unknown_prefix_is_not_made_by_a_read),
        TEST(prefix_that_cannot_be_opened_can_be_later),
        TEST(append_completes_what_a_read_has_found),
        TEST(append_to_a_deleted_directory_makes_it_anew),
        TEST(append_to_a_deleted_file_is_refused),
        TEST(too_much_under_way_is_refused),
        TEST(close_closes_every_file),
        TEST(close_of_a_prefix_that_is_not_open),
        TEST(close_is_ordered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
