#include "http/exchange.h"

#include <event2/buffer.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct exchange *exchange_new(struct exchange_list *free_list)
{
    struct exchange *exchange = free_list->first;
    if (exchange != NULL)
        free_list->first = exchange->next_free;
    else if ((exchange = malloc(sizeof(*exchange))) == NULL)
        return NULL;
    memset(&exchange->job, 0, offsetof(struct job, small));
    return exchange;
}

void exchange_free(struct exchange_list *free_list, struct exchange *exchange)
{
    if (exchange->job.piece != NULL)
        evbuffer_free(exchange->job.piece);
    exchange->next_free = free_list->first;
    free_list->first = exchange;
}

void exchange_list_clear(struct exchange_list *free_list)
{
    struct exchange *exchange;
    while ((exchange = free_list->first) != NULL) {
        free_list->first = exchange->next_free;
        free(exchange);
    }
}

struct exchange *exchange_of(struct job *job)
{
    return (struct exchange *)((char *)job - offsetof(struct exchange, job));
}
