/*
 * body_limits: how large a body may be, for each path, and how much memory it takes.
 *
 * Set once, before the first client, and constant from then on; framing.h reads it. Owned by the
 * server. Loop thread. No errors.
 */
#ifndef ROCHEFORT_HTTP_BODY_LIMITS_H
#define ROCHEFORT_HTTP_BODY_LIMITS_H

#include <stdint.h>

#include "net/framing.h"

/* One for each path that takes a body or needs more memory than every reply, the last for all
 * others. */
#define BODY_LIMITS 6
#define BODY_LIMITS_TEXT_BYTES 96

struct body_limits {
    struct framing_limit limits[BODY_LIMITS]; /* for framing_rules; they point into `texts` */
    char texts[BODY_LIMITS][BODY_LIMITS_TEXT_BYTES];
};

void body_limits_set(struct body_limits *limits, uint64_t value_bytes_max,
                     uint64_t batch_bytes_max);

/* The largest body of any path. */
uint64_t body_limits_most(const struct body_limits *limits);

#endif
