#include "tools/rival.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "tools/gap.h"

struct chain {
    int64_t next; /* where its next header must be */
    uint64_t start_time_ns;
    unsigned headers;
};

struct chains {
    struct chain all[RIVAL_CHAINS_MAX];
    unsigned count;
};

int rival_header_at(const struct search *search, int fd, int64_t size, int64_t offset, bool *yes)
{
    uint8_t bytes[RECORD_HEADER_BYTES];
    struct record_header header;
    *yes = false;
    if (offset > size - RECORD_HEADER_BYTES)
        return 0;
    for (size_t done = 0; done < sizeof(bytes);) {
        ssize_t got = pread(fd, bytes + done, sizeof(bytes) - done, offset + (int64_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EIO ? 0 : -errno;
        if (got == 0)
            return 0;
        done += (size_t)got;
    }
    *yes = search_header(search, bytes, &header);
    return 0;
}

/*
 * Takes the chain out that goes on at `offset`, and those that should have gone on before it. Where
 * several meet, a copy inside a value meets the chain that the value is in: the younger start
 * counts.
 */
static struct chain take(struct chains *chains, int64_t offset, uint64_t time_ns)
{
    struct chain taken = {.headers = 0};
    unsigned kept = 0;
    for (unsigned i = 0; i < chains->count; i++) {
        struct chain chain = chains->all[i];
        if (chain.next > offset) {
            chains->all[kept++] = chain;
        } else if (chain.next == offset) {
            if (taken.headers == 0 || chain.start_time_ns > taken.start_time_ns)
                taken.start_time_ns = chain.start_time_ns;
            if (chain.headers > taken.headers)
                taken.headers = chain.headers;
        }
    }
    chains->count = kept;
    if (taken.headers++ == 0)
        taken.start_time_ns = time_ns;
    return taken;
}

/* The chain has passed the end of the record: is it a rival? */
static int judge(const struct search *search, const struct window *window,
                 const struct chain *chain, uint64_t time_ns, bool vouched, bool *rival)
{
    bool header = false;
    int error = rival_header_at(search, window->fd, window->size, chain->next, &header);
    if (error != 0)
        return error;
    bool older = chain->start_time_ns < time_ns;
    bool strong = (header || chain->next == window->size) && !(vouched && older);
    /* One that is cut short itself is nothing to save, unless others led to it. */
    bool weak = !older && chain->start_time_ns - time_ns <= RIVAL_YOUNGER_NS_MAX &&
                (chain->next < window->size || chain->headers >= 2);
    *rival = strong || weak;
    return 0;
}

int rival_find(const struct search *search, struct window *window, int64_t offset, int64_t end,
               const struct record_header *header, bool vouched, bool *found)
{
    struct chains chains = {.count = 0};
    *found = false;
    for (int64_t at = offset + RECORD_HEADER_BYTES; at < end && at < window->size;) {
        const uint8_t *bytes;
        size_t got;
        int error = window_at(window, at, RECORD_HEADER_BYTES, &bytes, &got);
        if (error != 0)
            return error;
        if (got < RECORD_HEADER_BYTES)
            return 0;
        struct record_header inner;
        bool hit;
        size_t skip = search_next(search, bytes, got, &inner, &hit);
        at += (int64_t)skip;
        if (!hit) {
            if (bytes[skip] == 0)
                at = window_skip_hole(window, at, RECORD_HEADER_BYTES - 1);
            continue;
        }
        if (at >= end)
            return 0;
        struct chain chain = take(&chains, at, inner.time_ns);
        uint64_t left = (uint64_t)(window->size - at - RECORD_HEADER_BYTES);
        chain.next = at + (int64_t)gap_or_record_bytes(&inner, left);
        /* A record that claims more than the file has got past the end as well. */
        if (chain.next > end || chain.next >= window->size) {
            error = judge(search, window, &chain, header->time_ns, vouched, found);
            if (error != 0 || *found)
                return error;
        } else if (chains.count < RIVAL_CHAINS_MAX) {
            chains.all[chains.count++] = chain;
        }
        at++;
    }
    return 0;
}
