/* Tests of http/exposition: the two forms of the same samples. */
#include "http/exposition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <string.h>

static void check(bool json, const char *expected)
{
    struct exposition out = {.out = evbuffer_new(), .json = json};
    assert_non_null(out.out);
    exposition_family(&out, "plain", "gauge", "One.", false);
    exposition_sample(&out, NULL, 1.5);
    exposition_family(&out, "empty", "counter", "None.", true);
    exposition_family(&out, "two", "counter", "Two.", true);
    exposition_sample(&out, (struct exposition_label[]){{"a", "b"}, {NULL, NULL}}, 2);
    exposition_sample(&out, (struct exposition_label[]){{"a", "c"}, {"d", "e"}},
                      9007199254740991.0);
    exposition_family(&out, "took", "histogram", "Three.", true);
    exposition_suffix(&out, "_bucket");
    exposition_sample(&out, (struct exposition_label[]){{"le", "+Inf"}, {NULL, NULL}}, 3);
    exposition_plain_suffix(&out, "_sum");
    exposition_sample(&out, NULL, 0.25);
    exposition_end(&out);
    assert_false(out.out_of_memory);
    size_t bytes = evbuffer_get_length(out.out);
    assert_int_equal(bytes, strlen(expected));
    assert_memory_equal(evbuffer_pullup(out.out, -1), expected, bytes);
    evbuffer_free(out.out);
}

static void for_prometheus(void **state)
{
    (void)state;
    check(false, "# HELP plain One.\n# TYPE plain gauge\nplain 1.5\n"
                 "# HELP empty None.\n# TYPE empty counter\n"
                 "# HELP two Two.\n# TYPE two counter\n"
                 "two{a=\"b\"} 2\ntwo{a=\"c\",d=\"e\"} 9007199254740991\n"
                 "# HELP took Three.\n# TYPE took histogram\n"
                 "took_bucket{le=\"+Inf\"} 3\ntook_sum 0.25\n");
}

static void as_json(void **state)
{
    (void)state;
    check(true, "{\n\"plain\":1.5,\n\"empty\":[],\n"
                "\"two\":[{\"labels\":{\"a\":\"b\"},\"value\":2},"
                "{\"labels\":{\"a\":\"c\",\"d\":\"e\"},\"value\":9007199254740991}],\n"
                "\"took_bucket\":[{\"labels\":{\"le\":\"+Inf\"},\"value\":3}],\n"
                "\"took_sum\":0.25\n}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(for_prometheus), cmocka_unit_test(as_json)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
