/*
 * options: what the command line says.
 *
 * Strings point into argv or are constants. Made by command_line.h, constant from then on.
 */
#ifndef ROCHEFORT_OPTIONS_H
#define ROCHEFORT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "net/address_list.h"
#include "net/trusted_proxies.h"
#include "store/slots.h"

struct options {
    struct address_list bind, admin_bind;
    struct slots slots;  /* a count of 0: every id is held */
    int64_t socket_mode; /* bits of chmod(2) */
    const char *root, *allow_origin, *allow_host, *cache_control;
    const char *access_log; /* NULL: none */
    struct trusted_proxies trusted_proxies;
    const char *token_file; /* NULL: none */
    int64_t buckets, workers, max_value_bytes, max_batch_bytes, max_connections, max_in_flight,
        log_slower_ms;
    int64_t max_open_prefixes, max_prefixes;
    bool read_only;
    int64_t lock_wait_seconds;
    int64_t file_mode; /* bits of chmod(2) */
    int64_t sync_threads;
    int64_t sync_after_ms; /* -1: never, 0: always */
    int64_t max_buffered_bytes, idle_seconds, head_seconds, rate_bytes_a_second_min,
        rate_window_seconds;
    const char *ignored_flag; /* one that was given though it has no effect, or NULL */
};

#endif
