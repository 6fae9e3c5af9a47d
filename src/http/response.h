/*
 * response: the one door out. Every response leaves through here, but for those
 * to requests that have no exchange (refusal.h): so the status line, the header
 * lines and the end of keep-alive are in one place, and tally.h has all of them. evhttp's own
 * serializer is not used; it is only told when a response is complete.
 *
 * Loop thread. response_whole, response_buffer, response_nothing, response_text,
 * response_options, response_not_allowed, response_failure, response_last and
 * response_abort are final: the exchange is gone after them.
 */
#ifndef ROCHEFORT_HTTP_RESPONSE_H
#define ROCHEFORT_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/exchange.h"
#include "http/response_head.h"

struct evbuffer;

#define RESPONSE_TEXT "text/plain"
#define RESPONSE_JSON "application/json"
#define RESPONSE_VALUE "application/octet-stream"
/* The methods of all paths together. */
#define RESPONSE_METHODS "GET, HEAD, POST, OPTIONS"

/* 200. `bytes` bytes at `body` are copied. With HEAD only the head is sent. */
void response_whole(struct exchange *exchange, const char *type, const void *body, size_t bytes);

/* 200, or 206 if the job is a JOB_READ of a part. Takes the content of `body`. With NULL `body`, or
 * HEAD: the head alone, for a body of `bytes` bytes. */
void response_buffer(struct exchange *exchange, const char *type, struct evbuffer *body,
                     uint64_t bytes);

/* 200, the page for people. */
void response_page(struct exchange *exchange, const void *body, size_t bytes);

/* Of the exchange's job, a JOB_SCAN that is done: 204, with where to go on. */
void response_nothing(struct exchange *exchange);

/* One line of plain text; the newline is added. */
void response_text(struct exchange *exchange, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* 405; `allow` are the methods that the path takes, `hint` says what to do. */
void response_not_allowed(struct exchange *exchange, const char *path, const char *allow,
                          const char *hint);

/* 204; `allow` are the methods that the path takes beside OPTIONS. */
void response_options(struct exchange *exchange, const char *allow);

/* What went wrong with the job, and with which file. */
void response_failure(struct exchange *exchange);

/* Of the exchange's job, a JOB_READ that is done: 304; 416. */
void response_not_modified(struct exchange *exchange);
void response_no_such_range(struct exchange *exchange);

/*
 * A response in pieces, 200, or 206 if the job is a JOB_READ of a part. After each response_piece
 * `next` is called when it is written; if the client goes away the exchange ends by itself.
 * response_last sends the last piece (NULL: none); response_abort resets the connection, so that
 * the client knows that the response is not whole. So is the connection reset if a close has waited
 * too long for the response: between two pieces, or by connections.c, which asks response_overdue
 * while one is being written.
 */
void response_begin(struct exchange *exchange, const char *type, uint64_t bytes);
void response_piece(struct exchange *exchange, struct evbuffer *piece,
                    void (*next)(struct exchange *exchange));
void response_last(struct exchange *exchange, struct evbuffer *piece);
void response_abort(struct exchange *exchange);
bool response_overdue(const void *exchange);

#endif
