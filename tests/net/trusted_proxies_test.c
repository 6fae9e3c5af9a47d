/*
 * Tests of net/trusted_proxies: who is trusted, and whom X-Forwarded-For then names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "net/trusted_proxies.h"

#define LINES 3

static struct peer peer_named(const char *text)
{
    struct peer peer = {.kind = strcmp(text, "unix:") == 0 ? PEER_UNIX : PEER_UNKNOWN};
    if (peer.kind == PEER_UNKNOWN)
        assert_true(strcmp(text, "-") == 0 || peer_parse(text, strlen(text), &peer));
    return peer;
}

static void test_networks(void **state)
{
    static const struct {
        const char *proxy, *in, *out;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
        {"192.0.2.1", "::ffff:192.0.2.1", "::192.0.2.1"},
        {"192.0.2.1/32", "192.0.2.1", "192.0.2.0"},
        {"192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
        {"192.0.2.7/24", "192.0.2.0", "192.0.1.255"},
        {"10.0.0.0/9", "10.127.255.255", "10.128.0.0"},
        {"0.0.0.0/0", "255.255.255.255", "::1"},
        {"::ffff:192.0.2.0/120", "192.0.2.9", "192.0.3.9"},
        {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
        {"2001:db8::1", "2001:db8::1", "2001:db8::2"},
        {"::1/128", "::1", "::"},
        {"::/0", "192.0.2.1", "unix:"},
        {"unix", "unix:", "127.0.0.1"},
        {"0.0.0.0/0", "0.0.0.0", "-"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trusted_proxies proxies = {0};
        struct peer in = peer_named(cases[i].in), out = peer_named(cases[i].out);
        assert_false(trusted_proxies_any(&proxies));
        assert_int_equal(trusted_proxies_add(&proxies, cases[i].proxy), 0);
        assert_true(trusted_proxies_any(&proxies));
        if (!trusted_proxies_has(&proxies, &in) || trusted_proxies_has(&proxies, &out))
            fail_msg("%s: %s, not %s", cases[i].proxy, cases[i].in, cases[i].out);
    }
}

static void test_what_is_no_network(void **state)
{
    static const char *const texts[] = {"",
                                        "/",
                                        "/8",
                                        "unix:",
                                        "UNIX",
                                        "localhost",
                                        "192.0.2",
                                        "1.2.3.4/",
                                        "1.2.3.4/33",
                                        "1.2.3.4/-1",
                                        "1.2.3.4/8x",
                                        "1.2.3.4/+8",
                                        "1.2.3.4/8/8",
                                        "1.2.3.4/0008",
                                        "1.2.3.4:80",
                                        "[::1]",
                                        "[::1]:80",
                                        "::1/129",
                                        "::1/",
                                        "::1%lo",
                                        " 1.2.3.4",
                                        "1.2.3.4 ",
                                        "1.2.3.4,1.2.3.5"};
    struct trusted_proxies proxies = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (trusted_proxies_add(&proxies, texts[i]) != -EINVAL)
            fail_msg("%s", texts[i]);
    assert_false(trusted_proxies_any(&proxies));
    for (size_t i = 0; i < TRUSTED_PROXIES_MAX; i++)
        assert_int_equal(trusted_proxies_add(&proxies, "192.0.2.1"), 0);
    assert_int_equal(trusted_proxies_add(&proxies, "192.0.2.1"), -ENOSPC);
    assert_int_equal(trusted_proxies_add(&proxies, "unix"), 0);
}

/* Trusted are 10.0.0.0/8, fd00::/8 and those of Unix domain sockets. */
static void test_clients(void **state)
{
    static const struct {
        const char *peer, *client;
        const char *lines[LINES]; /* in the order of the request */
    } cases[] = {
        /* from others it says nothing */
        {"192.0.2.1", "192.0.2.1", {"198.51.100.1"}},
        {"-", "-", {"198.51.100.1"}},
        {"10.0.0.1", "10.0.0.1", {NULL}},
        {"10.0.0.1", "198.51.100.1", {"198.51.100.1"}},
        {"unix:", "198.51.100.1", {"198.51.100.1"}},
        {"::ffff:10.0.0.1", "198.51.100.1", {"198.51.100.1"}},
        {"fd00::1", "2001:db8::1", {"[2001:db8::1]:8080"}},
        {"10.0.0.1", "198.51.100.1", {"::ffff:198.51.100.1"}},
        {"10.0.0.1", "198.51.100.1", {"198.51.100.1:4711"}},
        /* what the client itself has sent is before its address */
        {"10.0.0.1", "198.51.100.1", {"203.0.113.9, 198.51.100.1"}},
        {"10.0.0.1", "198.51.100.1", {"10.0.0.9, 198.51.100.1, 10.0.0.2"}},
        {"10.0.0.1", "198.51.100.1", {"203.0.113.9,198.51.100.1,fd00::2,10.0.0.2"}},
        /* all are proxies: the first */
        {"10.0.0.1", "10.0.0.3", {"10.0.0.3, 10.0.0.2"}},
        /* several lines are one */
        {"10.0.0.1", "198.51.100.1", {"203.0.113.9", "198.51.100.1"}},
        {"10.0.0.1", "198.51.100.1", {"203.0.113.9, 198.51.100.1", "10.0.0.2"}},
        {"10.0.0.1", "198.51.100.1", {"198.51.100.1", "10.0.0.3", "10.0.0.2"}},
        {"10.0.0.1", "10.0.0.3", {"10.0.0.3", "", "10.0.0.2"}},
        /* spaces and empty elements */
        {"10.0.0.1", "198.51.100.1", {" \t198.51.100.1 \t"}},
        {"10.0.0.1", "198.51.100.1", {"203.0.113.9 ,\t198.51.100.1\t, 10.0.0.2"}},
        {"10.0.0.1", "198.51.100.1", {"198.51.100.1,, ,"}},
        {"10.0.0.1", "10.0.0.1", {" , ,"}},
        {"10.0.0.1", "10.0.0.1", {""}},
        /* garbage ends it: the last that a proxy vouched for */
        {"10.0.0.1", "10.0.0.1", {"unknown"}},
        {"10.0.0.1", "10.0.0.2", {"198.51.100.1, _x, 10.0.0.2"}},
        {"10.0.0.1", "10.0.0.2", {"198.51.100.1", "198.51.100.1 203.0.113.9", "10.0.0.2"}},
        {"10.0.0.1", "10.0.0.1", {"198.51.100.1\""}},
        {"unix:", "unix:", {"unix:"}},
    };
    struct trusted_proxies proxies = {0};
    (void)state;
    assert_int_equal(trusted_proxies_add(&proxies, "10.0.0.0/8"), 0);
    assert_int_equal(trusted_proxies_add(&proxies, "fd00::/8"), 0);
    assert_int_equal(trusted_proxies_add(&proxies, "unix"), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[PEER_TEXT_BYTES];
        struct peer client = peer_named(cases[i].peer);
        size_t lines = 0;
        while (lines < LINES && cases[i].lines[lines] != NULL)
            lines++;
        while (lines > 0 && trusted_proxies_follow(&proxies, cases[i].lines[--lines], &client))
            continue;
        if (strcmp(peer_write(&client, text), cases[i].client) != 0)
            fail_msg("case %zu: %s, not %s", i, text, cases[i].client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_what_is_no_network),
        cmocka_unit_test(test_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
