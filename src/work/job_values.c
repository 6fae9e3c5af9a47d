#include "work/job_values.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>

/* A list in so few segments needs no allocation. */
#define SEGMENTS_FEW 64

int job_values_check(struct job *job)
{
    struct evbuffer_iovec few[SEGMENTS_FEW], *segments = few;
    int count = evbuffer_peek(job->value, -1, NULL, NULL, 0);
    if (count > SEGMENTS_FEW &&
        (segments = reallocarray(NULL, (size_t)count, sizeof(*segments))) == NULL)
        return -ENOMEM;
    (void)evbuffer_peek(job->value, -1, NULL, segments, count);
    value_list_check(segments, (size_t)count, &job->values.limits, &job->values.found);
    if (segments != few)
        free(segments);
    return 0;
}
