#include "http/body_limits.h"

#include <inttypes.h>
#include <stdio.h>

#include "http/endpoints.h"
#include "work/job.h"

/* Of an appendMulti: the offsets of its values are in memory as a whole. */
static uint64_t append_multi_memory(uint64_t body_bytes)
{
    uint64_t values = body_bytes / (VALUE_LIST_LENGTH_BYTES + 1);
    uint64_t reply = (values < JOB_OFFSETS_MAX ? values : JOB_OFFSETS_MAX) * JOB_OFFSET_BYTES;
    return body_bytes + (reply > JOB_PIECE_BYTES_MAX ? reply - JOB_PIECE_BYTES_MAX : 0);
}

/* Of a list of ends or names: it is in memory as a whole. */
static uint64_t list_memory(uint64_t body_bytes)
{
    return body_bytes + LIST_MEMORY_BYTES_MAX;
}

/* Bodies that no endpoint takes are read as well, so that the reply can say what is wrong. */
void body_limits_set(struct body_limits *limits, uint64_t value_bytes_max, uint64_t batch_bytes_max)
{
    const struct framing_limit paths[BODY_LIMITS - 1] = {
        {.path = "/append", .body_bytes_max = value_bytes_max},
        {.path = "/appendMulti",
         .body_bytes_max = batch_bytes_max,
         .memory_bytes = append_multi_memory},
        {.path = "/getMulti", .body_bytes_max = GET_MULTI_BODY_BYTES_MAX},
        {.path = "/ends", .memory_bytes = list_memory},
        {.path = "/prefixes", .memory_bytes = list_memory}};
    struct framing_limit *all = limits->limits, *others = &all[BODY_LIMITS - 1];
    *others = (struct framing_limit){0};
    for (size_t i = 0; i < BODY_LIMITS - 1; i++) {
        all[i] = paths[i];
        if (all[i].body_bytes_max > others->body_bytes_max)
            others->body_bytes_max = all[i].body_bytes_max;
    }
    for (size_t i = 0; i < BODY_LIMITS; i++) {
        if (all[i].body_bytes_max == 0)
            all[i].body_bytes_max = others->body_bytes_max;
        (void)snprintf(limits->texts[i], BODY_LIMITS_TEXT_BYTES,
                       "the body is too large, the limit is %" PRIu64 " bytes",
                       all[i].body_bytes_max);
        all[i].why = limits->texts[i];
    }
}

uint64_t body_limits_most(const struct body_limits *limits)
{
    return limits->limits[BODY_LIMITS - 1].body_bytes_max;
}
