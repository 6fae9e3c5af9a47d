/*
 * tokens: who may do what, as a text says it.
 *
 * A line is a token, what it may do (read, write and admin, with commas between), and maybe the one
 * storagePrefix that it may do it with, written as in a query. Spaces and tabs are between them and
 * around them. Empty lines, and those that begin with #, say nothing.
 *
 * The tokens are kept in buffers of one length, and looking for one takes the same steps whichever
 * it is and whether it is there: each word of each buffer is compared, and nothing branches on what
 * comes of it. So the time tells nobody how much of a guess was right.
 *
 * Constant once it is made. Any thread.
 */
#ifndef ROCHEFORT_HTTP_TOKENS_H
#define ROCHEFORT_HTTP_TOKENS_H

#include <stddef.h>

#include "store/names.h"

#define TOKENS_MAX 1024
#define TOKEN_BYTES_MIN 16
#define TOKEN_BYTES_MAX 128
#define TOKENS_FAULT_BYTES 128

struct tokens;

/* What a token may do. */
struct token_grant {
    unsigned rights;                        /* bits of enum right, at least one */
    char prefix[PREFIX_NAME_BYTES_MAX + 1]; /* the only one; "": all */
};

/* What is wrong with a text. It has no part of the text, which may be a token. */
struct tokens_fault {
    unsigned line; /* from 1; 0: out of memory */
    char why[TOKENS_FAULT_BYTES];
};

/* NULL if there is a fault: a line that is not of that form, a token that is there twice, no token,
 * more than TOKENS_MAX, a last line without its end. The caller frees them. */
struct tokens *tokens_parse(const char *text, size_t bytes, struct tokens_fault *fault);

/* Leaves no token in memory. NULL is ignored. */
void tokens_free(struct tokens *tokens);

unsigned tokens_count(const struct tokens *tokens);

/* NULL if there is no such token. Valid as long as the tokens. */
const struct token_grant *tokens_find(const struct tokens *tokens, const char *token, size_t bytes);

#endif
