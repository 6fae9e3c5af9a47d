/*
 * exchange: one request and its response, from evhttp's call to the last byte.
 *
 * The job is a part of it, so nothing is allocated for a request but this, and
 * these are kept on a free list. While the job is with a worker the exchange
 * must not be touched; job->done brings it back. Ends in exactly one of the
 * final calls of response.h, which frees it.
 *
 * Loop thread.
 */
#ifndef ROCHEFORT_HTTP_EXCHANGE_H
#define ROCHEFORT_HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "http/query.h"
#include "work/job.h"

struct connection;
struct event;
struct evhttp_request;
struct service;

struct exchange {
    struct job job;
    struct service *service;
    struct evhttp_request *request;
    struct connection *connection;
    struct query query;
    const char *origin; /* of an allowed foreign page, in the request's headers; NULL */
    void (*next)(struct exchange *exchange); /* a response in pieces: after the piece at hand */
    bool admin;                              /* it came in on -admin-bind */
    bool chunked;                            /* its pieces are chunks */
    bool head_lost;                          /* there was no memory for its head */
    uint64_t begun_ns;                       /* service_now_ns */
    uint64_t sent_bytes;                     /* of the body; for access_log.h */
    unsigned endpoint;                       /* see metrics.h */
    struct {                                 /* a scan that waits; only scan.c touches it */
        uint64_t begun_ns, until_ns;         /* 0: it has not waited yet */
        int64_t tail;                        /* as it was when it began */
        struct event *timer;
        LIST_ENTRY(exchange) entry;
    } wait;
    struct exchange *next_free;
};

LIST_HEAD(exchange_waits, exchange);

struct exchange_list {
    struct exchange *first;
};

/* NULL when out of memory. The job is zeroed but for its `small`. */
struct exchange *exchange_new(struct exchange_list *free_list);
void exchange_free(struct exchange_list *free_list, struct exchange *exchange);
void exchange_list_clear(struct exchange_list *free_list);

/* The exchange that a job is part of. */
struct exchange *exchange_of(struct job *job);

#endif
