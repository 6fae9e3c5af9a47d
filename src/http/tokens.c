#include "http/tokens.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/query.h"
#include "http/right.h"

#define TOKEN_WORDS (TOKEN_BYTES_MAX / sizeof(uint64_t))
/* At first, and how many times as many when there are more. */
#define ROOM_FIRST 16
#define ROOM_GROWTH 2

static_assert(TOKEN_BYTES_MAX % sizeof(uint64_t) == 0, "a token fills whole words");

/* A token, zeros, and in the last word its length. */
struct secret {
    uint64_t words[TOKEN_WORDS + 1];
};

struct tokens {
    unsigned count, room;
    struct secret *secrets;
    struct token_grant *grants; /* of the secret of the same number */
    unsigned *lines;
};

struct text {
    const char *at;
    size_t bytes;
};

static const struct {
    const char *name;
    enum right right;
} rights[] = {{"read", RIGHT_READ}, {"write", RIGHT_WRITE}, {"admin", RIGHT_ADMIN}};

static struct secret make_secret(struct text token)
{
    struct secret secret = {{0}};
    memcpy(secret.words, token.at, token.bytes);
    secret.words[TOKEN_WORDS] = token.bytes;
    return secret;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes what is up to the first of `ends`, or all, off the front of `rest`, and that one too. */
static struct text take_up_to(struct text *rest, const char *ends)
{
    struct text part = {rest->at, 0};
    while (part.bytes < rest->bytes &&
           (part.at[part.bytes] == '\0' || strchr(ends, part.at[part.bytes]) == NULL))
        part.bytes++;
    size_t taken = part.bytes < rest->bytes ? part.bytes + 1 : part.bytes;
    rest->at += taken;
    rest->bytes -= taken;
    return part;
}

/* The next word of a line; of no bytes if there is none. */
static struct text take_word(struct text *line)
{
    while (line->bytes > 0 && is_blank(line->at[0])) {
        line->at++;
        line->bytes--;
    }
    return take_up_to(line, " \t");
}

static bool has_control_character(struct text line)
{
    for (size_t i = 0; i < line.bytes; i++)
        if (((unsigned char)line.at[i] < ' ' && line.at[i] != '\t') || line.at[i] == 0x7f)
            return true;
    return false;
}

/* RFC 6750, 2.1: what it calls b64token. */
static bool is_token(struct text word)
{
    size_t end = word.bytes;
    while (end > 0 && word.at[end - 1] == '=')
        end--;
    for (size_t i = 0; i < end; i++) {
        char c = word.at[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            (c == '\0' || strchr("-._~+/", c) == NULL))
            return false;
    }
    return end > 0;
}

static bool parse_rights(struct text word, struct token_grant *grant)
{
    bool more;
    grant->rights = 0;
    do {
        more = memchr(word.at, ',', word.bytes) != NULL;
        struct text name = take_up_to(&word, ",");
        size_t i = 0, count = sizeof(rights) / sizeof(rights[0]);
        while (i < count && (strlen(rights[i].name) != name.bytes ||
                             memcmp(rights[i].name, name.at, name.bytes) != 0))
            i++;
        if (i == count)
            return false;
        grant->rights |= rights[i].right;
    } while (more);
    return true;
}

/* NULL if it is well-formed, otherwise what is wrong. */
static const char *parse_line(struct text line, struct text *token, struct token_grant *grant)
{
    if (has_control_character(line))
        return "a control character, or a carriage return at the end of a line";
    *token = take_word(&line);
    struct text may = take_word(&line), prefix = take_word(&line);
    if (token->bytes < TOKEN_BYTES_MIN || token->bytes > TOKEN_BYTES_MAX)
        return "a token has 16 to 128 characters";
    if (!is_token(*token))
        return "a token consists of A-Z, a-z, 0-9 and -._~+/, with = at the end only";
    if (!parse_rights(may, grant))
        return "after the token is said what it may: read, write and admin, with commas between";
    if (take_word(&line).bytes > 0)
        return "there is more than a token, what it may, and a storagePrefix";
    grant->prefix[0] = '\0';
    if (prefix.bytes == 0)
        return NULL;
    if (prefix.at[0] == '#')
        return "a comment has a line of its own; a storagePrefix begins with %23";
    if ((grant->rights & RIGHT_ADMIN) != 0)
        return "admin is about all prefixes, so it goes with no storagePrefix";
    return query_decode_prefix(prefix.at, prefix.bytes, grant->prefix);
}

/* Room for one more. False: no memory. */
static bool make_room(struct tokens *tokens)
{
    if (tokens->count < tokens->room)
        return true;
    unsigned room = tokens->room == 0 ? ROOM_FIRST : tokens->room * ROOM_GROWTH;
    struct secret *secrets = calloc(room, sizeof(*secrets));
    struct token_grant *grants = reallocarray(tokens->grants, room, sizeof(*grants));
    if (grants != NULL)
        tokens->grants = grants;
    unsigned *lines = reallocarray(tokens->lines, room, sizeof(*lines));
    if (lines != NULL)
        tokens->lines = lines;
    if (secrets == NULL || grants == NULL || lines == NULL) {
        free(secrets);
        return false;
    }
    size_t used = tokens->count * sizeof(*secrets);
    if (used > 0) { /* not realloc, which would leave them in what it frees */
        memcpy(secrets, tokens->secrets, used);
        explicit_bzero(tokens->secrets, used);
        free(tokens->secrets);
    }
    tokens->secrets = secrets;
    tokens->room = room;
    return true;
}

static void set_fault(struct tokens_fault *fault, unsigned line, const char *why)
{
    fault->line = line;
    (void)snprintf(fault->why, sizeof(fault->why), "%s", why);
}

static bool add_token(struct tokens *tokens, struct text token, const struct token_grant *grant,
                      unsigned line, struct tokens_fault *fault)
{
    struct secret secret = make_secret(token);
    unsigned i = 0;
    while (i < tokens->count && memcmp(&tokens->secrets[i], &secret, sizeof(secret)) != 0)
        i++;
    bool added = false;
    if (i < tokens->count) {
        fault->line = line;
        (void)snprintf(fault->why, sizeof(fault->why), "the same token as in line %u",
                       tokens->lines[i]);
    } else if (tokens->count == TOKENS_MAX) {
        set_fault(fault, line, "more than 1024 tokens");
    } else if (!make_room(tokens)) {
        set_fault(fault, 0, "out of memory");
    } else {
        tokens->secrets[i] = secret;
        tokens->grants[i] = *grant;
        tokens->lines[i] = line;
        tokens->count++;
        added = true;
    }
    explicit_bzero(&secret, sizeof(secret));
    return added;
}

static bool add_line(struct tokens *tokens, struct text line, unsigned number,
                     struct tokens_fault *fault)
{
    struct text words = line, token;
    struct token_grant grant;
    struct text first = take_word(&words);
    if (first.bytes == 0 || first.at[0] == '#')
        return true;
    const char *wrong = parse_line(line, &token, &grant);
    if (wrong == NULL)
        return add_token(tokens, token, &grant, number, fault);
    set_fault(fault, number, wrong);
    return false;
}

static bool add_lines(struct tokens *tokens, struct text rest, struct tokens_fault *fault)
{
    unsigned number = 1;
    for (; rest.bytes > 0; number++) {
        if (memchr(rest.at, '\n', rest.bytes) == NULL) {
            set_fault(fault, number, "the line has no end: the file may be cut short");
            return false;
        }
        if (!add_line(tokens, take_up_to(&rest, "\n"), number, fault))
            return false;
    }
    if (tokens->count == 0)
        set_fault(fault, number, "there is no token");
    return tokens->count > 0;
}

struct tokens *tokens_parse(const char *text, size_t bytes, struct tokens_fault *fault)
{
    struct tokens *tokens = calloc(1, sizeof(*tokens));
    if (tokens == NULL) {
        set_fault(fault, 0, "out of memory");
        return NULL;
    }
    if (add_lines(tokens, (struct text){text, bytes}, fault))
        return tokens;
    tokens_free(tokens);
    return NULL;
}

void tokens_free(struct tokens *tokens)
{
    if (tokens == NULL)
        return;
    if (tokens->secrets != NULL)
        explicit_bzero(tokens->secrets, tokens->room * sizeof(*tokens->secrets));
    free(tokens->secrets);
    free(tokens->grants);
    free(tokens->lines);
    free(tokens);
}

unsigned tokens_count(const struct tokens *tokens)
{
    return tokens->count;
}

/* All ones if they are the same, otherwise 0. */
static uint64_t same_mask(const struct secret *one, const struct secret *other)
{
    uint64_t differs = 0;
    for (size_t i = 0; i < TOKEN_WORDS + 1; i++)
        differs |= one->words[i] ^ other->words[i];
    /* the compiler is not to know what it is, or it could branch on it */
    __asm__("" : "+r"(differs));
    return ((differs | (0 - differs)) >> 63) - 1;
}

const struct token_grant *tokens_find(const struct tokens *tokens, const char *token, size_t bytes)
{
    uint64_t found = 0; /* its number, from 1 */
    if (bytes < TOKEN_BYTES_MIN || bytes > TOKEN_BYTES_MAX)
        return NULL; /* which is no secret */
    const struct secret given = make_secret((struct text){token, bytes});
    for (unsigned i = 0; i < tokens->count; i++)
        found |= same_mask(&tokens->secrets[i], &given) & (i + 1);
    return found > 0 ? &tokens->grants[found - 1] : NULL;
}
