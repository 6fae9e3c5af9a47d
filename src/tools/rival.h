/*
 * rival: is a record what it says, or was it cut short and written over?
 *
 * A server that is killed in the middle of a write leaves the beginning of a
 * record, and later appends follow it. Its header is good and claims the bytes
 * of those later records. So a record that is not followed by a header has to
 * be checked for a rival: a chain of records that starts inside it and goes on
 * behind its end. A chain that stays inside is the value's own affair (somebody
 * stored a copy of such a file) and no rival.
 *
 *   strong  the chain gets past the end and meets the next header, or the end of
 *           the file, exactly. If the record before vouches for this one the chain must also be
 *           no older than it: what was appended later is younger, a copy in the value is older
 *   weak    it gets past the end but what follows is damaged or cut short too; then it counts
 *           if it is not older, and less than RIVAL_YOUNGER_NS_MAX younger: random bytes are
 *           any age
 *
 * One pass over the record, in bounded memory: of more than RIVAL_CHAINS_MAX
 * chains at a time, which only a value made for it can have, the rest are not followed.
 */
#ifndef ROCHEFORT_TOOLS_RIVAL_H
#define ROCHEFORT_TOOLS_RIVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/search.h"
#include "tools/window.h"

#define RIVAL_CHAINS_MAX 256
#define RIVAL_YOUNGER_NS_MAX (UINT64_C(1) << 60) /* 36 years */

/* Whether 16 bytes with a right sum are at `offset`. Read by themselves; EIO counts as no. */
int rival_header_at(const struct search *search, int fd, int64_t size, int64_t offset, bool *yes);

/*
 * Looks inside the record with `header` at `offset`, which ends at `end`, maybe behind the end of
 * the file. `vouched`: it starts where another record, or nothing, ended. 0 or -errno.
 */
int rival_find(const struct search *search, struct window *window, int64_t offset, int64_t end,
               const struct record_header *header, bool vouched, bool *found);

#endif
