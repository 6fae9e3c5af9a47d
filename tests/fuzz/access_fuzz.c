/*
 * Fuzz target: who may do what. The first byte of an input says what the others are.
 *
 * '#': a file of tokens. Whatever it is, what is found in it is what its lines say, and what is
 * wrong with it is told without a word of it.
 *
 * Otherwise requests, of which the heads are judged as the server does. What is served is held
 * against what evhttp is given, as the server reads that: its path, and the prefix in its query.
 *   - what asks for a token has one that is known, that may do that, and with that prefix;
 *   - 401 is answered if and only if there is no such token;
 *   - a request that is refused has no body any more.
 */
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/access.h"
#include "http/query.h"
#include "http/right.h"
#include "http/service.h"
#include "http/tokens.h"
#include "net/framing.h"
#include "net/head.h"

#define INPUT_BYTES_MAX (32 * 1024)
#define SCHEME_BYTES 7

static const struct known {
    const char *token;
    unsigned rights;
    const char *prefix; /* NULL: all */
} known[] = {{"token-that-reads", RIGHT_READ, NULL},
             {"token-that-writes", RIGHT_WRITE, "mine"},
             {"token-that-does-both", RIGHT_READ | RIGHT_WRITE, "a b"},
             {"token-that-admins", RIGHT_ADMIN, NULL}};
static const char text[] = "token-that-reads read\n"
                           "token-that-writes write mine\n"
                           "token-that-does-both read,write a%20b\n"
                           "token-that-admins admin\n";
static const struct {
    const char *path;
    unsigned right;
} paths[] = {{"/append", RIGHT_WRITE}, {"/appendMulti", RIGHT_WRITE}, {"/close", RIGHT_WRITE},
             {"/get", RIGHT_READ},     {"/getMulti", RIGHT_READ},     {"/scan", RIGHT_READ},
             {"/ends", RIGHT_READ},    {"/prefixes", RIGHT_ADMIN},    {"/metrics", RIGHT_ADMIN},
             {"/stats", RIGHT_ADMIN},  {"/healthz", RIGHT_OPEN},      {"/readyz", RIGHT_OPEN},
             {"/", RIGHT_OPEN}};

static struct service service;
/* Of the head that was judged last. */
static const struct known *shown;

static void need(bool good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "broken: %s\n", what);
    abort();
}

/* The whole value is the scheme, spaces and a token. */
static const struct known *token_in(struct head_span value)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t bytes = strlen(known[i].token), before = value.bytes - bytes;
        if (value.bytes < bytes + SCHEME_BYTES || strncasecmp(value.at, "bearer ", 7) != 0 ||
            memcmp(value.at + before, known[i].token, bytes) != 0)
            continue;
        while (before > SCHEME_BYTES && value.at[before - 1] == ' ')
            before--;
        if (before == SCHEME_BYTES)
            return &known[i];
    }
    return NULL;
}

static struct framing_judgement judge(void *context, const struct head *head)
{
    shown = head->authorization.at != NULL ? token_in(head->authorization) : NULL;
    return access_judge(context, head);
}

static unsigned right_of(const char *method, const char *path)
{
    bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    unsigned right = RIGHT_ANY;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (strcmp(paths[i].path, path) == 0)
            right = paths[i].right;
    if (strcmp(method, "OPTIONS") == 0)
        return RIGHT_OPEN;
    return right == RIGHT_OPEN && !reads ? RIGHT_ANY : right;
}

/* `line` is the request line that evhttp is given. */
static void check_judgement(char *line, const struct framing_judgement *judgement)
{
    struct query query;
    char *path = strchr(line, ' ') + 1, *end = strchr(path, ' ');
    path[-1] = *end = '\0';
    char *question = strchr(path, '?');
    if (question != NULL)
        *question = '\0';
    unsigned right = right_of(line, path);
    bool needs_token = right != RIGHT_OPEN;
    need((judgement->refused == 401) == (needs_token && shown == NULL), "a 401 without a reason");
    if (!needs_token || shown == NULL || right == RIGHT_ANY) {
        need(judgement->refused == 0 || judgement->refused == 401, "refused without a reason");
        return;
    }
    bool may = (shown->rights & right) != 0;
    const char *wrong = query_parse(question != NULL ? question + 1 : NULL, &query);
    if (may && shown->prefix != NULL && wrong != NULL)
        need(judgement->refused == 400 && strcmp(judgement->why, wrong) == 0, "a bad query");
    else if (may && shown->prefix != NULL && strcmp(query.prefix, shown->prefix) != 0)
        need(judgement->refused == 403, "another prefix");
    else
        need(judgement->refused == (may ? 0 : 403), "a wrong verdict");
}

static void judge_requests(const uint8_t *bytes, size_t length)
{
    static const struct framing_limit limits[] = {{NULL, 1000, "too large", NULL}};
    static const char *const forwarded[] = {NULL};
    static char given[HEAD_WRITTEN_BYTES_MAX + 1];
    const struct framing_rules rules = {
        .limits = limits, .forwarded = forwarded, .judge = judge, .context = &service};
    struct framing framing;
    struct evbuffer *inbox = evbuffer_new(), *output = evbuffer_new();
    need(inbox != NULL && output != NULL && evbuffer_add(inbox, bytes, length) == 0,
         "out of memory");
    framing_init(&framing, &rules);
    while (framing_scan(&framing, inbox, output).complete) {
        ev_ssize_t copied = evbuffer_copyout(output, given, sizeof(given) - 1);
        given[copied] = '\0';
        const char *end = strstr(given, "\r\n\r\n");
        need(end != NULL, "no end of the head");
        if (framing.judgement.refused != 0)
            need(evbuffer_get_length(output) == (size_t)(end - given) + 4, "a body is left");
        check_judgement(given, &framing.judgement);
        (void)evbuffer_drain(output, SIZE_MAX);
        if (framing.wants_close)
            break;
    }
    framing_free(&framing);
    evbuffer_free(inbox);
    evbuffer_free(output);
}

/* Each line of it that is no comment begins with a token that is found. */
static void read_file(const char *file, size_t bytes)
{
    struct tokens_fault fault;
    struct tokens *tokens = tokens_parse(file, bytes, &fault);
    if (tokens == NULL) {
        need(fault.line > 0 && strlen(fault.why) < TOKENS_FAULT_BYTES - 1, "no reason");
        return;
    }
    unsigned count = 0;
    for (const char *at = file, *end = file + bytes; at < end;) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        need(feed != NULL, "a line without an end is taken");
        while (*at == ' ' || *at == '\t')
            at++;
        size_t token_bytes = 0;
        while (strchr(" \t\n", at[token_bytes]) == NULL)
            token_bytes++;
        if (token_bytes > 0 && *at != '#') {
            const struct token_grant *grant = tokens_find(tokens, at, token_bytes);
            need(grant != NULL && grant->rights != 0 && (grant->rights & ~(unsigned)RIGHT_ANY) == 0,
                 "a token is not found");
            need(grant->prefix[0] == '\0' || (grant->rights & RIGHT_ADMIN) == 0,
                 "an admin of one prefix");
            count++;
        }
        at = feed + 1;
    }
    need(count == tokens_count(tokens), "another number of tokens than of lines");
    tokens_free(tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tokens_fault fault;
    if (size == 0 || size > INPUT_BYTES_MAX)
        return 0;
    if (service.tokens == NULL)
        service.tokens = tokens_parse(text, strlen(text), &fault);
    need(service.tokens != NULL, "its own tokens");
    if (data[0] == '#')
        read_file((const char *)data + 1, size - 1);
    else
        judge_requests(data + 1, size - 1);
    return 0;
}
