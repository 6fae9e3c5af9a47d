/*
 * access_log: a line for each request, in the file of -access-log.
 *
 * A request that has a response has exactly one line, refusals included, and so has one whose
 * client leaves after its head and before a response: that with ACCESS_LOG_CLIENT_LEFT. The file is
 * written by a thread of its own (line_file.h).
 *
 * The client's address is that of its connection, or the one that a trusted proxy tells. The line
 * of a request is logged if it is well-formed alone, so that nothing else that a client has sent,
 * such as a token in the wrong place, gets into the log.
 *
 * Made and owned by the server. Loop thread. Errors: -errno.
 */
#ifndef ROCHEFORT_HTTP_ACCESS_LOG_H
#define ROCHEFORT_HTTP_ACCESS_LOG_H

#include <stdint.h>
#include <sys/types.h>

struct access_log;
struct connection;
struct evhttp_request;
struct exchange;
struct trusted_proxies;

/* In place of a status: there was no response, the client was gone. nginx has it so too. */
#define ACCESS_LOG_CLIENT_LEFT 499

/* `path` and `proxies` outlive it. With a NULL `path` there is none. If it fails the log says why.
 */
int access_log_open(const char *path, mode_t mode, const struct trusted_proxies *proxies,
                    struct access_log **out);

/* Opens the path anew: after the file was renamed. */
void access_log_reopen(struct access_log *log);

/* Waits until all lines are written, a second at most: before _exit. NULL is ignored, here and
 * below. */
void access_log_flush(struct access_log *log);
void access_log_close(struct access_log *log);

/* Lines that were not written. */
uint64_t access_log_dropped(struct access_log *log);

/* An exchange that ends with this status. */
void access_log_exchange(struct access_log *log, const struct exchange *exchange, int status,
                         uint64_t took_ns);

/* A request that evhttp has and no exchange; `connection` may be NULL. */
void access_log_request(struct access_log *log, struct evhttp_request *request,
                        const struct connection *connection, int status, uint64_t sent_bytes);

/* The request that the connection is reading, and that will not be served. */
void access_log_unserved(struct access_log *log, const struct connection *connection, int status,
                         uint64_t sent_bytes, uint64_t took_ns);

#endif
