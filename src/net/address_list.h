/*
 * address_list: addresses to listen on, in the order in which they were given.
 *
 * The strings are not copied.
 */
#ifndef ROCHEFORT_NET_ADDRESS_LIST_H
#define ROCHEFORT_NET_ADDRESS_LIST_H

#include <stddef.h>

/* Of one flag. */
#define ADDRESS_LIST_MAX 16

struct address_list {
    const char *addresses[ADDRESS_LIST_MAX];
    size_t count;
};

#endif
