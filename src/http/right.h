/*
 * right: what a token may do, and what an endpoint asks for.
 *
 * Bits: a token has one or more of the first three, and may use an endpoint if it has one that the
 * endpoint asks for. None of them is 0, so that nothing is open because it was forgotten.
 */
#ifndef ROCHEFORT_HTTP_RIGHT_H
#define ROCHEFORT_HTTP_RIGHT_H

enum right {
    RIGHT_READ = 1,
    RIGHT_WRITE = 2,
    RIGHT_ADMIN = 4, /* what is about all prefixes */
    RIGHT_ANY = RIGHT_READ | RIGHT_WRITE | RIGHT_ADMIN,
    RIGHT_OPEN = 8, /* of an endpoint: it asks for no token */
};

#endif
