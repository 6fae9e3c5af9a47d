/*
 * single_client: spinning, for a client that is the only one.
 *
 * A client that waits for each reply before it sends the next request waits for
 * two wake-ups each time: the worker's and the loop's. They cost more than most
 * of what there is to do, and still more if the core has gone to sleep as well.
 * So for such a client both threads spin for a moment before they sleep. With
 * more clients there is more to do in one iteration of the loop, and spinning
 * would only take the core from those that have something to do.
 *
 * Detection is the loop's: the client is taken for a single one when 16 jobs
 * in a row were each alone in flight, that is, none was pushed before the one
 * before it was collected; and no longer as soon as one was. The loop polls the
 * sockets after it has spun and before it collects, so a second client is noticed
 * meanwhile. Clients whose requests never overlap cannot be told from one client.
 * The result goes to the worker with each job. On a single core no thread spins.
 *
 * It has to pay: after each time in vain the next ones are left out, 1, then 3,
 * 7, 15 and at last 16 of them, until one has paid again. So a thread spins
 * after work only, and a client that is slow costs little.
 *
 * What it costs is CPU time: while the client is busy both threads also use it
 * while they wait for each other, and the worker while it waits for the client.
 * Measured with wrk, one connection and values of 100 bytes, on a virtual machine
 * with two cores that other programs used too: 17 to 37 us a request, that is 0.65
 * to 1.2 cores, instead of 13 to 22 us and 0.3 to 0.65 cores without spinning.
 *
 * Each thread has a struct of its own; only that thread touches it.
 */
#ifndef ROCHEFORT_WORK_SINGLE_CLIENT_H
#define ROCHEFORT_WORK_SINGLE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

struct single_client {
    uint64_t spin_ns; /* constant: at most; 0: never */
    bool yields;      /* constant: lets others have the core while it spins */
    bool is_single;   /* so was the client of the last job */
    unsigned row;     /* jobs in a row that were alone in flight */
    unsigned skips;   /* so many times more are left out */
    unsigned backoff; /* so many were after the last failure */
};

void single_client_init_loop(struct single_client *client);
void single_client_init_worker(struct single_client *client);

/* Loop: a job was pushed, and with it `in_flight` are in flight. True if the client is single. */
bool single_client_pushed(struct single_client *client, unsigned in_flight);

/* Worker: a job was popped, with what single_client_pushed had returned for it. */
void single_client_popped(struct single_client *client, bool is_single);

/* Spins until `ready`, if it is for a single client and has paid lately. False: not ready. */
bool single_client_spin(struct single_client *client, bool (*ready)(const void *argument),
                        const void *argument);

#endif
