/*
 * Those who wait for memory are let in one request at a time: each once in a turn of the loop,
 * however much it has sent ahead. The test is the client, in the server's own thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "http/server.h"
#include "lib/client.h"
#include "lib/temporary.h"
#include "store/root.h"

#define CLIENTS 8
#define REQUESTS 200 /* of each; if the loop slept each took a second, and the test too long */
#define AHEAD 16     /* so many are in the socket */
#define REQUEST_BYTES_MAX 8192
#define REPLY_BYTES_MAX 4096
/* Not in memory with the head, so the server does not know the length and takes it for a large one.
 */
#define CHUNKS 800
#define VALUE_BYTES_MAX (1024 * 1024)

struct fixture {
    void *directory;
    struct root *root;
    struct server *server;
    unsigned short port;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    *state = &fixture;
    if (temporary_make(&fixture.directory) != 0 || root_open(fixture.directory, &fixture.root) != 0)
        return -1;
    const struct server_options options = {.bind = {{"127.0.0.1:0"}, 1},
                                           .root = fixture.root,
                                           .workers = 1,
                                           .sync_threads = 1,
                                           .buckets = 1,
                                           .max_connections = 64,
                                           .max_in_flight = 64,
                                           .max_open_prefixes = 64,
                                           .max_value_bytes = VALUE_BYTES_MAX,
                                           .max_batch_bytes = VALUE_BYTES_MAX,
                                           .max_buffered_bytes = 1, /* one request at a time */
                                           .log_slower_ms = -1,
                                           .origins = {.origins = "none", .hosts = "any"},
                                           .sync_after_ms = -1};
    if (server_start(&options, &fixture.server) != 0)
        return -1;
    fixture.port = client_find_port();
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    server_stop(fixture->server);
    root_close(fixture->root);
    return temporary_remove(&fixture->directory);
}

/* How many replies have come with this status. Each is in the socket as a whole. */
static unsigned take_replies(const struct client *client, const char *status_line)
{
    char bytes[REPLY_BYTES_MAX];
    unsigned count = 0;
    ssize_t got;
    while ((got = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
        const char *at = bytes, *end = bytes + got;
        while ((at = memmem(at, (size_t)(end - at), status_line, strlen(status_line))) != NULL) {
            at += strlen(status_line);
            count++;
        }
    }
    return count;
}

/* The request is `head`, an empty line and `body`. */
static void each_has_one_a_turn(struct fixture *fixture, const char *head, const char *body)
{
    struct client holder, clients[CLIENTS];
    char text[REQUEST_BYTES_MAX];
    client_connect(&holder, fixture->server, fixture->port);
    (void)snprintf(text, sizeof(text), "%sExpect: 100-continue\r\n\r\n", head);
    client_send(&holder, text, strlen(text));
    while (take_replies(&holder, "HTTP/1.1 100 ") == 0) /* it has the budget then */
        server_iterate(fixture->server, true);
    (void)snprintf(text, sizeof(text), "%s\r\n%s", head, body);
    for (unsigned i = 0; i < CLIENTS; i++) {
        client_connect(&clients[i], fixture->server, fixture->port);
        for (unsigned sent = 0; sent < AHEAD; sent++)
            client_send(&clients[i], text, strlen(text));
    }
    for (unsigned turns = 0; turns < CLIENTS; turns++)
        server_iterate(fixture->server, false);
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_int_equal(take_replies(&clients[i], "HTTP/1.1 "), 0);
    client_send(&holder, body, strlen(body));
    unsigned answers[CLIENTS] = {0};
    for (unsigned answered = 0; answered < CLIENTS * REQUESTS;) {
        server_iterate(fixture->server, true);
        for (unsigned i = 0; i < CLIENTS; i++) {
            unsigned replies = take_replies(&clients[i], "HTTP/1.1 404 ");
            assert_true(replies <= 1);
            answered += replies;
            if (replies == 1 && ++answers[i] + AHEAD <= REQUESTS)
                client_send(&clients[i], text, strlen(text));
        }
    }
    client_close(&holder, false);
    for (unsigned i = 0; i < CLIENTS; i++)
        client_close(&clients[i], false);
}

static void small_requests(void **state)
{
    each_has_one_a_turn(*state, "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n", "x");
}

static void large_requests(void **state)
{
    static const char chunk[] = "1\r\nx\r\n", end[] = "0\r\n\r\n";
    char body[CHUNKS * (sizeof(chunk) - 1) + sizeof(end)];
    for (size_t i = 0; i < CHUNKS; i++)
        memcpy(body + i * (sizeof(chunk) - 1), chunk, sizeof(chunk) - 1);
    memcpy(body + CHUNKS * (sizeof(chunk) - 1), end, sizeof(end));
    each_has_one_a_turn(
        *state, "POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n", body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(small_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_requests, set_up, tear_down),
    };
    return signal(SIGPIPE, SIG_IGN) == SIG_ERR || cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
