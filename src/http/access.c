#include "http/access.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "http/endpoints.h"
#include "http/query.h"
#include "http/right.h"
#include "http/service.h"
#include "http/tokens.h"
#include "net/head.h"

#define SCHEME "Bearer"

static struct framing_judgement refuse(int status, const char *why)
{
    return (struct framing_judgement){.refused = status, .why = why};
}

static struct framing_judgement serve(void)
{
    return (struct framing_judgement){0};
}

/* What follows the scheme and at least one space (RFC 9110, 11.4). Of no bytes if there is none. */
static struct head_span bearer_token(struct head_span authorization)
{
    size_t scheme = strlen(SCHEME);
    if (authorization.bytes <= scheme || authorization.at[scheme] != ' ' ||
        strncasecmp(authorization.at, SCHEME, scheme) != 0)
        return (struct head_span){authorization.at, 0};
    const char *at = authorization.at + scheme, *end = authorization.at + authorization.bytes;
    while (at < end && *at == ' ')
        at++;
    return (struct head_span){at, (size_t)(end - at)};
}

/* What the path asks for; of an open one only its own methods are open, which have no body. */
static enum right right_of(const struct head *head)
{
    bool reads = head_method_is(head, "GET") || head_method_is(head, "HEAD");
    if (head_method_is(head, "OPTIONS"))
        return RIGHT_OPEN;
    /* "http://host" is the path "/" */
    enum right right = head->path.bytes > 0 ? endpoints_right(head->path.at, head->path.bytes)
                                            : endpoints_right("/", 1);
    return right == RIGHT_OPEN && !reads ? RIGHT_ANY : right;
}

static struct framing_judgement judge_prefix(const struct head *head, const char *prefix)
{
    char text[HEAD_BYTES_MAX];
    struct query query;
    size_t bytes = head->target.bytes - head->path.bytes; /* with the question mark */
    if (bytes > 0) {
        memcpy(text, head->path.at + head->path.bytes + 1, bytes - 1);
        text[bytes - 1] = '\0';
    }
    const char *wrong = query_parse(bytes > 0 ? text : NULL, &query);
    if (wrong != NULL)
        return refuse(400, wrong);
    return strcmp(query.prefix, prefix) == 0
               ? serve()
               : refuse(403, "the token is for another storagePrefix");
}

struct framing_judgement access_judge(void *context, const struct head *head)
{
    const struct service *service = context;
    enum right right = right_of(head);
    if (right == RIGHT_OPEN)
        return serve();
    struct head_span token = bearer_token(head->authorization);
    if (token.bytes == 0)
        return refuse(401, "a token is needed: send the header Authorization: Bearer TOKEN");
    const struct token_grant *grant = tokens_find(service->tokens, token.at, token.bytes);
    if (grant == NULL)
        return refuse(401, "the token is not known");
    switch (right) {
    case RIGHT_READ:
    case RIGHT_WRITE:
    case RIGHT_ADMIN:
        break;
    case RIGHT_ANY:
    case RIGHT_OPEN:
        return serve();
    }
    if ((grant->rights & right) == 0)
        return refuse(403, right == RIGHT_READ    ? "the token may not read"
                           : right == RIGHT_WRITE ? "the token may not write"
                                                  : "this is for tokens that may admin");
    return grant->prefix[0] == '\0' ? serve() : judge_prefix(head, grant->prefix);
}
