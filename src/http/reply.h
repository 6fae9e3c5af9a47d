/*
 * reply: the one door out. Every reply to a request that evhttp parsed leaves
 * through here, so headers, the end of keep-alive and the log are in one place.
 *
 * Loop thread. reply_whole, reply_text, reply_error and reply_last are final:
 * the exchange is gone after them.
 */
#ifndef ROCHEFORT_HTTP_REPLY_H
#define ROCHEFORT_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/exchange.h"

struct evbuffer;

#define REPLY_JSON "application/json"
#define REPLY_VALUE "application/octet-stream"

/* An extra header; for methods that are not allowed. Before the reply. */
void reply_allow(struct exchange *exchange, const char *methods);

/* `bytes` bytes at `body` are copied. With HEAD only the headers go out. */
void reply_whole(struct exchange *exchange, const char *type, const void *body, size_t bytes);

/* Takes the content of `body`. With NULL `body`: the headers alone, for a body of `bytes` bytes. */
void reply_buffer(struct exchange *exchange, const char *type, struct evbuffer *body,
                  uint64_t bytes);

/* One line of plain text; the newline is added. */
void reply_text(struct exchange *exchange, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For a request that there is no exchange for; `connection` may be NULL, see connections_take. */
void reply_out_of_memory(struct evhttp_request *request, struct connection *connection);

/* What went wrong with the job, and with which file. */
void reply_error(struct exchange *exchange);

/* Describes the job's error; answers the HTTP status. For getMulti, which has said 200 already. */
int reply_describe(const struct exchange *exchange, char *out, size_t bytes);

#define REPLY_LENGTH_UNKNOWN UINT64_MAX

/*
 * A reply in pieces. After each reply_piece `next` is called when it is out; if the client goes
 * the exchange ends by itself. reply_last sends the last piece; reply_cut drops the client, who
 * then knows that the reply is not whole. So is the client dropped if a close has waited too long
 * for the reply: between two pieces, or by connections.c, which asks reply_overdue while one is
 * being written.
 */
void reply_begin(struct exchange *exchange, const char *type, uint64_t bytes);
void reply_piece(struct exchange *exchange, struct evbuffer *piece,
                 void (*next)(struct exchange *exchange));
void reply_last(struct exchange *exchange, struct evbuffer *piece);
void reply_cut(struct exchange *exchange);
bool reply_overdue(const void *exchange);

#endif
