/*
 * requests: the requests of one connection, found in all its bytes at once.
 *
 * The server gets the same bytes in pieces, so this also checks that the
 * pieces make no difference. Framing finds where a request ends; its method
 * and its body are read here, in the bytes that the client sends and not in
 * those that evhttp gets.
 */
#ifndef ROCHEFORT_TESTS_FUZZ_REQUESTS_H
#define ROCHEFORT_TESTS_FUZZ_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUESTS_MAX 4096
#define REQUESTS_VALUE_BYTES_MAX 1024 /* the server's -max-value */
#define REQUESTS_LIST_BYTES_MAX 4096  /* and -max-batch */

struct request {
    bool is_head, is_options;
    bool is_list;        /* its path is that of appendMulti */
    bool is_scan;        /* there may be nothing to read */
    const uint8_t *body; /* chunks are put together */
    size_t body_bytes;
};

struct requests {
    size_t count;
    bool refused; /* what follows the last one */
    struct request list[REQUESTS_MAX];
    uint8_t *bodies; /* storage for those that came in chunks */
    size_t bodies_bytes;
};

struct framing_rules;

/* As server.c has them. */
extern const struct framing_rules requests_rules;

/* `requests` must be empty, {0}, or used before. The bytes must stay. */
void requests_split(struct requests *requests, const struct framing_rules *rules,
                    const uint8_t *bytes, size_t length);

#endif
