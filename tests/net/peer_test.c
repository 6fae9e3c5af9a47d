/*
 * Tests of net/peer: addresses of sockets and of texts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/peer.h"

static void expect(const char *text, const char *written)
{
    char out[PEER_TEXT_BYTES];
    struct peer peer = {.kind = PEER_UNKNOWN};
    bool parsed = peer_parse(text, strlen(text), &peer);
    if (written == NULL) {
        if (parsed)
            fail_msg("%s is an address", text);
        assert_int_equal(peer.kind, PEER_UNKNOWN);
        return;
    }
    if (!parsed)
        fail_msg("%s is no address", text);
    assert_string_equal(peer_write(&peer, out), written);
}

static void test_texts(void **state)
{
    (void)state;
    expect("192.0.2.1", "192.0.2.1");
    expect("192.0.2.1:1", "192.0.2.1");
    expect("192.0.2.1:65535", "192.0.2.1");
    expect("2001:DB8::1", "2001:db8::1");
    expect("::", "::");
    expect("[2001:db8::1]", "2001:db8::1");
    expect("[2001:db8::1]:443", "2001:db8::1");
    expect("::ffff:192.0.2.1", "192.0.2.1");
    expect("[::ffff:192.0.2.1]:80", "192.0.2.1");
    expect("0:0:0:0:0:ffff:c000:201", "192.0.2.1");
    expect("::192.0.2.1", "::192.0.2.1");
    expect("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

static void test_garbage(void **state)
{
    static const char *const texts[] = {"",
                                        ":",
                                        "[",
                                        "]",
                                        "[]",
                                        "[]:80",
                                        "unknown",
                                        "_hidden",
                                        "unix:",
                                        "localhost",
                                        "192.0.2",
                                        "192.0.2.256",
                                        "192.0.2.1.1",
                                        " 192.0.2.1",
                                        "192.0.2.1 ",
                                        "192.0.2.1:",
                                        "192.0.2.1:x",
                                        "192.0.2.1:+1",
                                        "192.0.2.1:655350",
                                        "[192.0.2.1]",
                                        "[::1",
                                        "::1]",
                                        "[::1]x",
                                        "[::1]:",
                                        "[::1]:8x",
                                        "[::1]80",
                                        "::1%lo",
                                        ":::",
                                        "1::2::3",
                                        "192.0.2.1\"",
                                        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        expect(texts[i], NULL);
    struct peer peer;
    assert_false(peer_parse("::1\0", 4, &peer));
}

static void test_sockets(void **state)
{
    char out[PEER_TEXT_BYTES];
    int pair[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct peer peer = peer_of_socket(pair[0]);
    assert_int_equal(peer.kind, PEER_UNIX);
    assert_string_equal(peer_write(&peer, out), "unix:");
    assert_int_equal(close(pair[0]), 0);
    peer = peer_of_socket(pair[0]); /* which is closed */
    assert_int_equal(peer.kind, PEER_UNKNOWN);
    assert_string_equal(peer_write(&peer, out), "-");
    assert_int_equal(close(pair[1]), 0);

    int listening = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof(address);
    struct sockaddr *any = (struct sockaddr *)&address;
    assert_int_equal(bind(listening, any, sizeof(address)), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, any, &bytes), 0);
    assert_int_equal(connect(client, any, sizeof(address)), 0);
    peer = peer_of_socket(client);
    assert_string_equal(peer_write(&peer, out), "127.0.0.1");
    assert_int_equal(peer_of_socket(listening).kind, PEER_UNKNOWN);
    assert_int_equal(close(client), 0);
    assert_int_equal(close(listening), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
