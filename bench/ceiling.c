/*
 * ceiling: a server that does nothing but answer, on the same evhttp as
 * rochefort; what a request costs before anything is stored or found.
 *
 *   ceiling plain BYTES   evhttp as it comes
 *   ceiling own BYTES     with rochefort's sockets: connections, connection and framing of src/net
 *
 * Each request, whatever it is, is read whole and answered with BYTES bytes. Listens on a free port
 * of the loopback and writes "listening on 127.0.0.1:PORT" to standard error. Ends by SIGTERM.
 */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/connections.h"
#include "net/framing.h"

#define BODY_BYTES_MAX (64L * 1024 * 1024)
#define EXIT_USAGE 2

struct ceiling {
    struct event_base *base;
    struct evhttp *http;
    struct connections *connections; /* NULL: evhttp as it comes */
    char *reply;
    size_t reply_bytes;
    char date[32]; /* of the second `date_time`, as the server keeps it */
    time_t date_time;
};

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static const char *date(struct ceiling *ceiling)
{
    time_t now = time(NULL);
    struct tm utc;
    if (now != ceiling->date_time && gmtime_r(&now, &utc) != NULL) {
        ceiling->date_time = now;
        (void)strftime(ceiling->date, sizeof(ceiling->date), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    }
    return ceiling->date;
}

/* Sends the headers that the server sends, so that the replies are equally long. */
static void on_request(struct evhttp_request *request, void *argument)
{
    struct ceiling *ceiling = argument;
    struct connection *connection =
        ceiling->connections != NULL ? connections_serve(ceiling->connections) : NULL;
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    (void)evhttp_add_header(headers, "Content-Type", "application/octet-stream");
    (void)evhttp_add_header(headers, "Date", date(ceiling));
    (void)evbuffer_add_reference(evhttp_request_get_output_buffer(request), ceiling->reply,
                                 ceiling->reply_bytes, NULL, NULL);
    evhttp_send_reply(request, HTTP_OK, "OK", NULL);
    if (connection != NULL)
        connection_send(connection);
}

static void on_refused(void *context, struct connection *connection,
                       const struct connections_refusal *refusal)
{
    static const char reply[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    (void)context;
    (void)refusal;
    connection_refuse(connection, reply, sizeof(reply) - 1);
}

static void on_count_changed(void *context, unsigned count)
{
    (void)context;
    (void)count;
}

/* The options are those of the server's listener. */
static int open_socket(unsigned *port)
{
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &bytes) != 0)
        die("cannot listen");
    *port = ntohs(address.sin_port);
    return fd;
}

static void make_own_sockets(struct ceiling *ceiling)
{
    static const struct framing_limit limits[] = {
        {.path = NULL, .body_bytes_max = BODY_BYTES_MAX, .why = "too large"}};
    static const char *const forwarded[] = {NULL};
    static const struct framing_rules rules = {.limits = limits, .forwarded = forwarded};
    struct connections_options options = {.base = ceiling->base,
                                          .rules = &rules,
                                          .buffered_bytes_max = 16 * (uint64_t)BODY_BYTES_MAX,
                                          .count_changed = on_count_changed,
                                          .refused = on_refused};
    ceiling->connections = connections_new(&options);
    if (ceiling->connections == NULL)
        die("cannot make connections");
    evhttp_set_bevcb(ceiling->http, connections_accept, ceiling->connections);
}

static struct event_base *make_base(bool own)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    if (config != NULL && (!own || event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0))
        base = event_base_new_with_config(config);
    if (config != NULL)
        event_config_free(config);
    return base;
}

static void serve(struct ceiling *ceiling)
{
    if (ceiling->connections == NULL) {
        (void)event_base_dispatch(ceiling->base);
        return;
    }
    for (;;) {
        bool may_sleep = connections_may_sleep(ceiling->connections);
        if (event_base_loop(ceiling->base, EVLOOP_ONCE | (may_sleep ? 0 : EVLOOP_NONBLOCK)) < 0)
            die("event loop");
        connections_run(ceiling->connections);
    }
}

int main(int argc, char **argv)
{
    bool own = argc == 3 && strcmp(argv[1], "own") == 0;
    if (argc != 3 || (!own && strcmp(argv[1], "plain") != 0) || atol(argv[2]) <= 0) {
        (void)fprintf(stderr, "usage: ceiling plain|own BYTES\n");
        return EXIT_USAGE;
    }
    struct ceiling ceiling = {.base = make_base(own), .reply_bytes = (size_t)atol(argv[2])};
    unsigned port;
    (void)signal(SIGPIPE, SIG_IGN);
    ceiling.reply = malloc(ceiling.reply_bytes);
    ceiling.http = ceiling.base != NULL ? evhttp_new(ceiling.base) : NULL;
    if (ceiling.reply == NULL || ceiling.http == NULL)
        die("cannot start");
    memset(ceiling.reply, 'x', ceiling.reply_bytes);
    evhttp_set_allowed_methods(ceiling.http, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
    evhttp_set_gencb(ceiling.http, on_request, &ceiling);
    if (own)
        make_own_sockets(&ceiling);
    if (evhttp_accept_socket_with_handle(ceiling.http, open_socket(&port)) == NULL)
        die("cannot listen");
    (void)fprintf(stderr, "listening on 127.0.0.1:%u\n", port);
    serve(&ceiling);
    return EXIT_SUCCESS;
}
