/* Who may send requests: programs, our own pages, pages of others, names of others. */
#include "http/origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LISTED "https://good.example,http://localhost:3000"

static const struct origin_rules standard = {"none", "any"}, listed = {LISTED, "any"},
                                 all = {"any", "any"}, hosts = {"none", "data.example,[::1]"};

static const struct {
    const struct origin_rules *rules;
    struct origin_request request;
    enum origin_verdict verdict;
} rows[] = {
    /* programs say nothing of it */
    {&standard, {"localhost:8000", NULL, NULL, NULL, "/append"}, ORIGIN_OWN},
    {&standard, {NULL, NULL, NULL, NULL, "/append"}, ORIGIN_OWN},
    /* our own page, under the name it was asked for by */
    {&standard,
     {"localhost:8000", "http://localhost:8000", "same-origin", "cors", "/stats"},
     ORIGIN_OWN},
    {&standard, {"data.example", "https://data.example", "same-origin", "cors", "/"}, ORIGIN_OWN},
    {&standard, {"DATA.example", "https://data.EXAMPLE", NULL, NULL, "/append"}, ORIGIN_OWN},
    {&standard, {"localhost:8000", NULL, "same-origin", "no-cors", "/get"}, ORIGIN_OWN},
    {&standard, {"localhost:8000", NULL, "none", "navigate", "/get"}, ORIGIN_OWN}, /* typed in */
    /* other pages */
    {&standard, {"localhost:8000", "http://localhost:8001", NULL, NULL, "/append"}, ORIGIN_FOREIGN},
    {&standard, {"localhost:8000", "http://localhost", NULL, NULL, "/append"}, ORIGIN_FOREIGN},
    {&standard,
     {"localhost:8000", "http://evil.example", "cross-site", "cors", "/append"},
     ORIGIN_FOREIGN},
    {&standard, {"localhost:8000", "null", NULL, NULL, "/append"}, ORIGIN_FOREIGN},
    {&standard, {"localhost:8000", "", NULL, NULL, "/append"}, ORIGIN_FOREIGN},
    {&standard, {"localhost:8000", "localhost:8000", NULL, NULL, "/append"}, ORIGIN_FOREIGN},
    {&standard, {NULL, "http://evil.example", NULL, NULL, "/append"}, ORIGIN_FOREIGN},
    {&standard, {"localhost:8000", NULL, "cross-site", "no-cors", "/close"}, ORIGIN_FOREIGN},
    {&standard, {"localhost:8000", NULL, "same-site", "no-cors", "/close"}, ORIGIN_FOREIGN},
    {&standard, {"localhost:8000", NULL, "Cross-Site", "navigate", "/get"}, ORIGIN_FOREIGN},
    /* a link to the page for people, but not an image of it */
    {&standard, {"localhost:8000", NULL, "cross-site", "navigate", "/"}, ORIGIN_OWN},
    {&standard, {"localhost:8000", NULL, "cross-site", "navigate", "/?hour"}, ORIGIN_OWN},
    {&standard, {"localhost:8000", NULL, "cross-site", "navigate", "/close"}, ORIGIN_FOREIGN},
    {&standard, {"localhost:8000", NULL, "cross-site", "navigate", "//"}, ORIGIN_FOREIGN},
    {&standard, {"localhost:8000", NULL, "cross-site", "no-cors", "/"}, ORIGIN_FOREIGN},
    {&standard,
     {"localhost:8000", "http://evil.example", "cross-site", "navigate", "/"},
     ORIGIN_FOREIGN},
    /* allowed ones */
    {&listed, {"x", "https://good.example", "cross-site", "cors", "/append"}, ORIGIN_ALLOWED},
    {&listed, {"x", "http://localhost:3000", "cross-site", "cors", "/append"}, ORIGIN_ALLOWED},
    {&listed, {"x", "http://localhost:30000", NULL, NULL, "/append"}, ORIGIN_FOREIGN},
    {&listed, {"x", "http://good.example", NULL, NULL, "/append"}, ORIGIN_FOREIGN},
    {&listed, {"x", "good.example", NULL, NULL, "/append"}, ORIGIN_FOREIGN},
    {&listed,
     {"x", "https://good.example,http://localhost:3000", NULL, NULL, "/append"},
     ORIGIN_FOREIGN},
    {&listed, {"x", NULL, "cross-site", "no-cors", "/close"}, ORIGIN_FOREIGN},
    {&all, {"x", "https://whoever.example", "cross-site", "cors", "/append"}, ORIGIN_ALLOWED},
    {&all, {"x", NULL, "cross-site", "no-cors", "/close"}, ORIGIN_OWN},
    /* names that are ours */
    {&hosts, {"data.example", NULL, NULL, NULL, "/get"}, ORIGIN_OWN},
    {&hosts, {"Data.Example:8000", NULL, NULL, NULL, "/get"}, ORIGIN_OWN},
    {&hosts, {"[::1]:8000", NULL, NULL, NULL, "/get"}, ORIGIN_OWN},
    {&hosts, {"[::2]:8000", NULL, NULL, NULL, "/get"}, ORIGIN_UNKNOWN_HOST},
    {&hosts, {"evil.example", NULL, NULL, NULL, "/get"}, ORIGIN_UNKNOWN_HOST},
    {&hosts, {"data.example.evil", NULL, NULL, NULL, "/get"}, ORIGIN_UNKNOWN_HOST},
    {&hosts, {"", NULL, NULL, NULL, "/get"}, ORIGIN_UNKNOWN_HOST},
    {&hosts, {NULL, NULL, NULL, NULL, "/get"}, ORIGIN_UNKNOWN_HOST},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("row %zu\n", i);
        assert_int_equal(rows[i].verdict, origin_check(rows[i].rules, &rows[i].request));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
