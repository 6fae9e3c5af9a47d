/*
 * Fuzz target: the whole request path, from bytes on a socket to files and
 * back. The server's loop runs in this thread, one iteration at a time, with
 * its real workers and a fresh directory; each input is what one client sends.
 *
 * The first byte of an input says how it is cut up: '0' not at all, '1' to '9'
 * so many bytes at a time to begin with, any other byte as many as its code. The second says
 * how the client ends: 'c' it closes, 'r' with a reset, anything else it ends
 * its side and reads on. Then:
 *   - the replies are well-formed, as many as there were requests, plus one
 *     for a refusal, unless one of them said that it is the last;
 *   - what was stored is exactly what was answered, and is whole;
 *   - another client, connected all the time, gets the right reply.
 */
#include <endian.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/reply.h"
#include "fuzz/requests.h"
#include "fuzz/store.h"
#include "http/server.h"
#include "lib/client.h"
#include "lib/temporary.h"
#include "store/root.h"

#define INPUT_BYTES_MAX (64 * 1024)
#define PIECES_MAX 16 /* the rest comes in one */
#define HEADER_BYTES 16
#define LENGTH_BYTES 4
#define OFFSET_BYTES 8
/* One each, and all values of lists. */
#define EXPECTED_MAX (REQUESTS_MAX + INPUT_BYTES_MAX / (LENGTH_BYTES + 1))

#define WITNESS_PREFIX "the-witness"
#define WITNESS_VALUE "what the witness has stored"
#define WITNESS_HEAD(method, path)                                                                 \
    method " /" path "storagePrefix=" WITNESS_PREFIX " HTTP/1.1\r\nHost: w\r\n"

/* A value that must be in the store, or may be if its client left before the reply. */
struct expected {
    const uint8_t *value;
    size_t value_bytes;
    int64_t offset; /* -1 if it is not known */
    bool seen;
};

static struct {
    void *directory;
    struct root *root;
    struct server *server;
    unsigned short port;
    struct client client, witness;
    struct requests requests;
    struct expected expected[EXPECTED_MAX];
    size_t expected_count;
} fuzz;

static void need(bool good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "broken: %s\nthe replies were:\n%.*s\n", what,
                  (int)fuzz.client.received_bytes, fuzz.client.received);
    abort();
}

/* A request of the other client, the witness, and its reply; no other bytes may come. */
static struct reply ask_witness(const char *request, size_t bytes)
{
    struct client *witness = &fuzz.witness;
    struct reply reply;
    const char *wrong;
    size_t taken;
    need(witness->received_bytes == 0, "the witness got bytes without a request");
    client_send(witness, request, bytes);
    do {
        client_iterate(witness);
        taken =
            reply_read(witness->received, witness->received_bytes, false, false, &reply, &wrong);
        need(wrong == NULL && !witness->ended, "the witness was answered badly");
    } while (taken == 0);
    need(taken == witness->received_bytes, "the witness was answered twice");
    need(reply.status == 200 && !reply.closes, "the witness was refused");
    witness->received_bytes = 0;
    return reply;
}

static void check_witness(void)
{
    static const char request[] = WITNESS_HEAD("GET", "get?id=w&offset=0&") "\r\n";
    struct reply reply = ask_witness(request, sizeof(request) - 1);
    need(reply.body_bytes == sizeof(WITNESS_VALUE) - 1 &&
             memcmp(reply.body, WITNESS_VALUE, reply.body_bytes) == 0,
         "the witness was answered with something else");
}

static void close_prefix(const char *prefix)
{
    static const char success[] = "{\"success\":true}";
    char request[1024];
    int bytes = snprintf(request, sizeof(request), "POST /close?storagePrefix=");
    for (; *prefix != '\0'; prefix++)
        bytes += snprintf(request + bytes, sizeof(request) - (size_t)bytes, "%%%02x",
                          (unsigned char)*prefix);
    bytes +=
        snprintf(request + bytes, sizeof(request) - (size_t)bytes, " HTTP/1.1\r\nHost: w\r\n\r\n");
    struct reply reply = ask_witness(request, (size_t)bytes);
    need(reply.body_bytes == strlen(success) && memcmp(reply.body, success, strlen(success)) == 0,
         "a prefix cannot be closed");
}

static void expect(const uint8_t *value, size_t bytes, int64_t offset)
{
    fuzz.expected[fuzz.expected_count++] =
        (struct expected){.value = value, .value_bytes = bytes, .offset = offset};
}

/* The values of a list, with their offsets if these are known. Returns how many there are; what
 * comes after a fault is none. */
static size_t expect_list(const struct request *request, const char *offsets, size_t bytes)
{
    size_t at = 0, count = 0;
    while (request->body_bytes - at > LENGTH_BYTES) {
        uint32_t length;
        uint64_t offset = UINT64_MAX;
        memcpy(&length, request->body + at, LENGTH_BYTES);
        length = le32toh(length);
        at += LENGTH_BYTES;
        if (length == 0 || length > request->body_bytes - at)
            break;
        if (offsets != NULL && (count + 1) * OFFSET_BYTES <= bytes)
            memcpy(&offset, offsets + count * OFFSET_BYTES, OFFSET_BYTES);
        expect(request->body + at, length, (int64_t)le64toh(offset));
        at += length;
        count++;
    }
    return count;
}

static void check_body(const struct reply *reply, const struct request *request)
{
    int64_t offset;
    if (reply->status == 204)
        need(request != NULL && (request->is_options || request->is_scan),
             "a 204 to another request than OPTIONS or a scan");
    else if (reply->status != 200 && reply->status != 206 && reply->status != 304 &&
             (request == NULL || !request->is_head))
        need(reply->text && reply->body_bytes > 1 &&
                 memchr(reply->body, '\n', reply->body_bytes) ==
                     reply->body + reply->body_bytes - 1,
             "a refusal that is not one line of text");
    if (request != NULL && request->is_list && reply->status == 200)
        need(expect_list(request, reply->body, reply->body_bytes) * OFFSET_BYTES ==
                 reply->body_bytes,
             "a list that has another number of offsets than of values");
    if (reply->json && sscanf(reply->body, "{\"offset\":%" SCNd64 ",\"file\":\"", &offset) == 1) {
        need(request != NULL && !request->is_head, "a reply to an append without an append");
        expect(request->body, request->body_bytes, offset);
    }
}

static void check_status(const struct reply *reply)
{
    static const char cut_short[] = "the record is cut short";
    static const int good[] = {200, 204, 206, 304, 400, 403, 404,
                               405, 409, 412, 413, 415, 416, 417};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (reply->status == good[i])
            return;
    /* a value may hold what looks like the header of a record */
    need(reply->status == 500 &&
             memmem(reply->body, reply->body_bytes, cut_short, sizeof(cut_short) - 1) != NULL,
         "a status for which there is no reason");
}

static void check_replies(void)
{
    const struct requests *requests = &fuzz.requests;
    struct client *client = &fuzz.client;
    size_t at = 0, answered = 0, wanted = requests->count + (requests->refused ? 1 : 0);
    bool last = false;
    need(!client->reset, "the connection was reset");
    while (at < client->received_bytes) {
        struct reply reply;
        const char *wrong;
        const struct request *request =
            answered < requests->count ? &requests->list[answered] : NULL;
        need(!last, "something follows the last reply");
        size_t taken = reply_read(client->received + at, client->received_bytes - at,
                                  request != NULL && request->is_head, true, &reply, &wrong);
        need(taken > 0, wrong != NULL ? wrong : "a reply is cut short");
        at += taken;
        if (reply.status == 100)
            continue; /* also to a request of which the rest never comes */
        need(answered < wanted, "more replies than requests");
        answered++;
        last = reply.closes;
        check_status(&reply);
        check_body(&reply, request);
    }
    need(answered == wanted || last, "fewer replies than requests");
    need(!requests->refused || last, "a refusal that does not close");
}

static void check_record(const struct store_record *record)
{
    if (record->offset == 0 && strcmp(record->prefix, WITNESS_PREFIX) == 0)
        return;
    for (size_t i = 0; i < fuzz.expected_count; i++) {
        struct expected *expected = &fuzz.expected[i];
        if (!expected->seen && expected->value_bytes == record->value_bytes &&
            (expected->offset == record->offset || expected->offset < 0) &&
            memcmp(expected->value, record->value, record->value_bytes) == 0) {
            expected->seen = true;
            return;
        }
    }
    need(false, "something is stored that was not appended");
}

static void check_store(void)
{
    store_read(fuzz.directory, check_record);
    for (size_t i = 0; i < fuzz.expected_count; i++)
        need(fuzz.expected[i].seen || fuzz.expected[i].offset < 0,
             "an append was answered and is not stored");
    store_reset(fuzz.directory, WITNESS_PREFIX, HEADER_BYTES + sizeof(WITNESS_VALUE) - 1,
                close_prefix);
}

static size_t piece_bytes(uint8_t how)
{
    if (how == '0' || how == 0)
        return INPUT_BYTES_MAX;
    return how >= '1' && how <= '9' ? (size_t)(how - '0') : how;
}

static void send_all(const uint8_t *bytes, size_t length, size_t step)
{
    for (unsigned pieces = 0; length > 0; pieces++) {
        size_t now = step < length && pieces < PIECES_MAX ? step : length;
        client_send(&fuzz.client, bytes, now);
        client_iterate(&fuzz.client);
        bytes += now;
        length -= now;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > INPUT_BYTES_MAX)
        return 0;
    const uint8_t *bytes = data + 2;
    const char end = (char)data[1];
    fuzz.expected_count = 0;
    requests_split(&fuzz.requests, &requests_rules, bytes, size - 2);
    client_connect(&fuzz.client, fuzz.server, fuzz.port);
    send_all(bytes, size - 2, piece_bytes(data[0]));
    if (end == 'c' || end == 'r') {
        client_leave(&fuzz.client, end == 'r');
        for (size_t i = 0; i < fuzz.requests.count; i++) {
            const struct request *request = &fuzz.requests.list[i];
            if (request->is_list)
                (void)expect_list(request, NULL, 0);
            else
                expect(request->body, request->body_bytes, -1);
        }
    } else {
        client_half_close(&fuzz.client);
        while (!fuzz.client.ended)
            client_iterate(&fuzz.client);
        client_close(&fuzz.client, true);
        check_replies();
    }
    check_witness();
    check_store();
    return 0;
}

static void stop(void)
{
    server_stop(fuzz.server);
    root_close(fuzz.root);
    (void)temporary_remove(&fuzz.directory);
    free(fuzz.requests.bodies);
    free(fuzz.client.received);
    free(fuzz.witness.received);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char append[] = WITNESS_HEAD("POST", "append?id=w&") "Content-Length: ";
    char request[512];
    (void)argc;
    (void)argv;
    if (temporary_make(&fuzz.directory) != 0 || root_open(fuzz.directory, &fuzz.root) != 0)
        abort();
    const struct server_options options = {.bind = {{"127.0.0.1:0"}, 1},
                                           .root = fuzz.root,
                                           .workers = 2,
                                           .sync_threads = 2,
                                           .buckets = 1,
                                           .max_connections = 64,
                                           .max_in_flight = 64,
                                           .max_open_prefixes = 64,
                                           .max_value_bytes = REQUESTS_VALUE_BYTES_MAX,
                                           .max_batch_bytes = REQUESTS_LIST_BYTES_MAX,
                                           .max_buffered_bytes = 64 << 20,
                                           .log_slower_ms = -1,
                                           .cache_control = "no-cache",
                                           .origins = {.origins = "none", .hosts = "any"},
                                           .sync_after_ms = -1};
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || server_start(&options, &fuzz.server) != 0)
        abort();
    /* signals end the fuzzer, not the server */
    if (signal(SIGINT, SIG_DFL) == SIG_ERR || signal(SIGTERM, SIG_DFL) == SIG_ERR)
        abort();
    fuzz.port = client_find_port();
    client_connect(&fuzz.witness, fuzz.server, fuzz.port);
    int bytes = snprintf(request, sizeof(request), "%s%zu\r\n\r\n%s", append,
                         sizeof(WITNESS_VALUE) - 1, WITNESS_VALUE);
    (void)ask_witness(request, (size_t)bytes);
    check_witness();
    return atexit(stop) == 0 ? 0 : -1;
}
