/*
 * Tests of net/framing without memory: whichever call into libevent fails, the
 * request is refused with 503, and nothing is complete.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <string.h>

#include "lib/failing.h"
#include "net/framing.h"

FAILING_EVBUFFER_NEW
FAILING(evbuffer_pullup, unsigned char *, NULL, (struct evbuffer * buffer, ev_ssize_t bytes),
        (buffer, bytes))
FAILING(evbuffer_add, int, -1, (struct evbuffer * buffer, const void *data, size_t bytes),
        (buffer, data, bytes))
FAILING(evbuffer_add_buffer, int, -1, (struct evbuffer * into, struct evbuffer *from), (into, from))
FAILING(evbuffer_remove_buffer, int, -1,
        (struct evbuffer * from, struct evbuffer *into, size_t bytes), (from, into, bytes))
FAILING(evbuffer_drain, int, -1, (struct evbuffer * buffer, size_t bytes), (buffer, bytes))
FAILING(evbuffer_ptr_set, int, -1,
        (struct evbuffer * buffer, struct evbuffer_ptr *ptr, size_t position,
         enum evbuffer_ptr_how how),
        (buffer, ptr, position, how))
FAILING(evbuffer_copyout_from, ev_ssize_t, -1,
        (struct evbuffer * buffer, const struct evbuffer_ptr *from, void *data, size_t bytes),
        (buffer, from, data, bytes))

static const struct framing_limit limits[] = {{NULL, 1000, "too large", NULL}};
static const char *const forwarded[] = {NULL};
static const struct framing_rules rules = {.limits = limits, .forwarded = forwarded};

#define HEAD "POST / HTTP/1.1\r\nHost: h\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"

/* Of a scan of the text; `armed` is not armed while the test itself uses libevent. */
static struct framing_verdict scan(const char *text, struct failing *armed, int nth, bool *failed)
{
    struct framing framing;
    struct evbuffer *inbox = evbuffer_new(), *output = evbuffer_new();
    framing_init(&framing, &rules);
    assert_int_equal(evbuffer_add_reference(inbox, text, strlen(text), NULL, NULL), 0);
    failing_arm(armed, nth, ENOMEM);
    struct framing_verdict verdict = framing_scan(&framing, inbox, output);
    *failed = failing_disarm(armed);
    framing_free(&framing);
    evbuffer_free(inbox);
    evbuffer_free(output);
    return verdict;
}

/* Each call of each kind fails once, until there is none left to fail. */
static void every_call_that_fails_refuses_the_request(void **state)
{
    static const char *const texts[] = {
        HEAD "\r\n",
        HEAD "Content-Length: 5\r\n\r\n12345",
        CHUNKED "0\r\n\r\n",
        CHUNKED "5\r\n12345\r\n2\r\n67\r\n0\r\nA: b\r\n\r\n",
    };
    /* how often they are called for these texts: so a call that is left out is noticed */
    static const struct {
        const char *name;
        struct failing *call;
        int calls[4];
    } table[] = {
        {"evbuffer_new", &fail_evbuffer_new, {0, 0, 0, 1}},
        {"evbuffer_pullup", &fail_evbuffer_pullup, {1, 1, 2, 3}},
        {"evbuffer_add", &fail_evbuffer_add, {2, 2, 2, 2}},
        {"evbuffer_add_buffer", &fail_evbuffer_add_buffer, {0, 0, 0, 1}},
        {"evbuffer_remove_buffer", &fail_evbuffer_remove_buffer, {0, 1, 0, 2}},
        {"evbuffer_drain", &fail_evbuffer_drain, {1, 1, 3, 8}},
        {"evbuffer_ptr_set", &fail_evbuffer_ptr_set, {0, 0, 0, 2}},
        {"evbuffer_copyout_from", &fail_evbuffer_copyout_from, {0, 0, 0, 2}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++) {
            for (int nth = 1;; nth++) {
                bool failed;
                struct framing_verdict verdict = scan(texts[j], table[i].call, nth, &failed);
                if (failed != (nth <= table[i].calls[j]))
                    fail_msg("call %d of %s: %s", nth, table[i].name, texts[j]);
                if (!failed) {
                    assert_true(verdict.complete);
                    assert_int_equal(verdict.refused, 0);
                    break;
                }
                if (verdict.refused != 503 || verdict.complete)
                    fail_msg("%d after call %d of %s: %s", verdict.refused, nth, table[i].name,
                             texts[j]);
                assert_string_equal(verdict.why, "out of memory");
            }
        }
    }
}

/* The empty line before a request cannot be taken away: it is one too many then. */
static void empty_line_that_stays_is_not_skipped(void **state)
{
    bool failed;
    (void)state;
    struct framing_verdict verdict = scan("\r\n" HEAD "\r\n", &fail_evbuffer_drain, 1, &failed);
    assert_true(failed);
    assert_false(verdict.complete);
    assert_int_equal(verdict.refused, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_that_fails_refuses_the_request),
        cmocka_unit_test(empty_line_that_stays_is_not_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
