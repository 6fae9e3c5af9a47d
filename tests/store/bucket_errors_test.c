/*
 * Tests of store/bucket with a kernel that misbehaves: writes, syncs and what has to be truncated.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/scripted_calls.h"

static void short_writes_go_on(void **state)
{
    struct one_bucket *fixture = *state;
    for (size_t some = 1; some <= TAIL; some++) { /* the first write ends at every byte once */
        writes = SCRIPT({0, some});
        int64_t base = bucket_tail(fixture->bucket);
        assert_int_equal(append(fixture), 0);
        assert_int_equal(writes.calls, some == TAIL ? 1 : 2);
        assert_int_equal(bucket_tail(fixture->bucket), base + TAIL);
        assert_readable(fixture, base);
    }
}

static void interrupted_write_is_tried_again(void **state)
{
    struct one_bucket *fixture = *state;
    writes = SCRIPT({EINTR, 0}, {0, 10}, {EINTR, 0}, {0, 20}, {EINTR, 0});
    assert_int_equal(append(fixture), 0);
    assert_int_equal(writes.calls, 6);
    assert_readable(fixture, 0);
}

static void write_that_fails_is_cut_back(void **state)
{
    struct one_bucket *fixture = *state;
    int64_t base = 0;
    for (size_t some = 1; some < TAIL; some++) { /* the disk fills up at every byte once */
        writes = SCRIPT({0, some}, {ENOSPC, 0});
        cuts = SCRIPT({EINTR, 0});
        assert_int_equal(append(fixture), -ENOSPC);
        assert_int_equal(cuts.calls, 2);
        int64_t whole = some < 20 ? 0 : some < 42 ? 1 : 2;
        for (int i = 0; i < 3; i++)
            assert_int_equal(fixture->batch.records[i].error, i < whole ? 0 : -ENOSPC);
        base += offsets[whole];
        assert_int_equal(bucket_tail(fixture->bucket), base);
        assert_int_equal(one_bucket_bytes(fixture), base);
        assert_int_equal(append(fixture), 0); /* there is room again */
        assert_readable(fixture, base);
        base += TAIL;
    }
}

/*
 * Each write moves some bytes and the Nth fails, for N = 1, 2, ... until all are through: what was
 * whole by then is in the file and nothing else, and the next append follows it.
 */
static void every_write_fails_once(void **state)
{
    static const int errors[] = {ENOSPC, EDQUOT, EIO, EFBIG, ENOMEM};
    struct one_bucket *fixture = *state;
    int64_t base = 0;
    unsigned failed = 0;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        for (size_t some = 1; some <= TAIL; some++) {
            for (size_t nth = 1, calls = 1; calls + 1 >= nth; nth++) {
                struct step steps[TAIL + 1];
                for (size_t step = 0; step < nth; step++)
                    steps[step] = (struct step){step + 1 == nth ? errors[i] : 0, some};
                for (size_t step = nth; step <= TAIL; step++)
                    steps[step] = (struct step){0, some};
                writes = (struct script){steps, TAIL + 1, 0};
                int error = append(fixture);
                calls = writes.calls;
                assert_int_equal(error, calls < nth ? 0 : -errors[i]);
                size_t in_file = calls < nth ? TAIL : (nth - 1) * some;
                size_t whole = in_file < 20 ? 0 : in_file < 42 ? 1 : in_file < TAIL ? 2 : 3;
                for (size_t record = 0; record < 3; record++) {
                    const struct batch_record *result = &fixture->batch.records[record];
                    assert_int_equal(result->error, record < whole ? 0 : -errors[i]);
                    if (record < whole)
                        assert_int_equal(result->offset, base + offsets[record]);
                }
                base += whole == 3 ? TAIL : offsets[whole];
                assert_int_equal(bucket_tail(fixture->bucket), base);
                assert_int_equal(one_bucket_bytes(fixture), base);
                writes = (struct script){0};
                assert_int_equal(append(fixture), 0); /* all is well again */
                assert_readable(fixture, base);
                base += TAIL;
                failed += error != 0;
            }
        }
    }
    assert_true(failed > 1000);
}

static void write_of_nothing_is_an_error(void **state)
{
    struct one_bucket *fixture = *state;
    writes = SCRIPT({0, 30}, {0, 0});
    assert_int_equal(append(fixture), -EIO);
    assert_int_equal(fixture->batch.records[0].error, 0);
    assert_int_equal(fixture->batch.records[1].error, -EIO);
    assert_int_equal(one_bucket_bytes(fixture), 20);
}

static void bucket_that_cannot_be_cut_back_takes_no_more(void **state)
{
    struct one_bucket *fixture = *state;
    assert_int_equal(append(fixture), 0);
    writes = SCRIPT({0, 30}, {ENOSPC, 0});
    cuts = SCRIPT({EIO, 0});
    assert_int_equal(append(fixture), -ENOSPC);
    assert_int_equal(fixture->batch.records[0].error, 0); /* it is whole, so it was written */
    assert_int_equal(fixture->batch.records[1].error, -ENOSPC);
    assert_int_equal(bucket_tail(fixture->bucket), TAIL + 20);
    assert_int_equal(one_bucket_bytes(fixture), TAIL + 30);

    writes = (struct script){0};
    assert_int_equal(append(fixture), STORE_BROKEN);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fixture->batch.records[i].error, STORE_BROKEN);
    assert_int_equal(writes.calls, 0);
    assert_readable(fixture, 0); /* reading goes on, but not into what was left behind */
    char buffer[16];
    struct bucket_value found;
    int error = bucket_read(fixture->bucket, TAIL + 20, buffer, sizeof(buffer), false, &found);
    assert_int_equal(error, STORE_NOT_FOUND);
}

/* Above all not one that was interrupted. */
static void sync_is_tried_once(void **state)
{
    static const int errors[] = {EINTR, EIO, ENOSPC, EROFS, EINVAL};
    struct one_bucket *fixture = *state;
    assert_int_equal(append(fixture), 0);
    assert_int_equal(bucket_sync(fixture->bucket), 0);
    assert_int_equal(syncs.calls, 1);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        syncs = SCRIPT({errors[i], 0});
        assert_int_equal(bucket_sync(fixture->bucket), -errors[i]);
        assert_int_equal(syncs.calls, 1);
    }
}

static void what_is_taken_back_is_gone(void **state)
{
    struct one_bucket *fixture = *state;
    char buffer[16];
    struct bucket_value found;
    assert_int_equal(append(fixture), 0);
    assert_int_equal(append(fixture), 0);
    cuts = SCRIPT({EINTR, 0});
    bucket_rollback(fixture->bucket, TAIL);
    assert_int_equal(cuts.calls, 2);
    assert_int_equal(bucket_tail(fixture->bucket), TAIL);
    assert_int_equal(one_bucket_bytes(fixture), TAIL);
    assert_int_equal(bucket_read(fixture->bucket, TAIL, buffer, sizeof(buffer), false, &found),
                     STORE_NOT_FOUND);
    assert_int_equal(append(fixture), 0);
    assert_readable(fixture, TAIL);

    cuts = SCRIPT({EIO, 0});
    bucket_rollback(fixture->bucket, TAIL);
    assert_true(bucket_broken(fixture->bucket));
    assert_int_equal(bucket_tail(fixture->bucket), TAIL); /* it is in the file, but not answered */
    assert_int_equal(bucket_read(fixture->bucket, TAIL, buffer, sizeof(buffer), false, &found),
                     STORE_NOT_FOUND);
    assert_int_equal(append(fixture), STORE_BROKEN);
    assert_readable(fixture, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRIPTED_TEST(short_writes_go_on),
        SCRIPTED_TEST(interrupted_write_is_tried_again),
        SCRIPTED_TEST(write_that_fails_is_cut_back),
        SCRIPTED_TEST(every_write_fails_once),
        SCRIPTED_TEST(write_of_nothing_is_an_error),
        SCRIPTED_TEST(bucket_that_cannot_be_cut_back_takes_no_more),
        SCRIPTED_TEST(sync_is_tried_once),
        SCRIPTED_TEST(what_is_taken_back_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
