/*
 * reply: a strict reader of one reply. It shares no code with the server, so
 * it checks what was sent independently.
 *
 * Pure functions; chunks are put together in place.
 */
#ifndef ROCHEFORT_TESTS_FUZZ_REPLY_H
#define ROCHEFORT_TESTS_FUZZ_REPLY_H

#include <stdbool.h>
#include <stddef.h>

struct reply {
    int status;
    bool closes; /* the connection ends after it */
    bool json, text;
    const char *body; /* points into the bytes */
    size_t body_bytes;
};

/*
 * Reads the reply that begins at `bytes`. `to_head`: it answers a HEAD, and has no body whatever
 * its length says. `ended`: the server has closed, nothing follows these bytes. Returns how many
 * bytes the reply takes; 0 if it is not complete, and then `*wrong` says so if it never can be.
 */
size_t reply_read(char *bytes, size_t length, bool to_head, bool ended, struct reply *reply,
                  const char **wrong);

#endif
