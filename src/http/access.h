/*
 * access: whether the token of a request lets it do what it asks for.
 *
 * Decided from the head of the request, before its body is read, and for all endpoints in one
 * place; what each of them asks for is in the table of endpoints.c. A token that is for one
 * storagePrefix is held against that of the query, as query.h reads it.
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_HTTP_ACCESS_H
#define ROCHEFORT_HTTP_ACCESS_H

#include "net/framing.h"

struct head;

/* For framing_rules: `context` is a struct service. 401 without a token that is known, 403 if it
 * may not do that. */
struct framing_judgement access_judge(void *context, const struct head *head);

#endif
