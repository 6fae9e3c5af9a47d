/*
 * mailbox: what the loop and one worker hand each other, and how each wakes the other.
 *
 * Two rings of jobs, `in` to the worker and `out` back; the flag and the semaphore with which the
 * worker sleeps; and three messages, which are no requests and each in a ring at most once:
 *
 *   stop    to the worker: the last thing that is pushed
 *   trim    to the worker: give free memory back to the system, see heap.h
 *   synced  to the loop: bits of scan_waits.h are set
 *
 * The worker owns the mailbox. Each half of the struct belongs to one thread, as each function
 * does. A ring that is full would lose a request, so it ends the program: admission makes
 * sure that this does not happen.
 */
#ifndef ROCHEFORT_WORK_MAILBOX_H
#define ROCHEFORT_WORK_MAILBOX_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "work/job.h"
#include "work/ring.h"
#include "work/wake.h"

struct mailbox {
    struct ring *in, *out;
    struct sleeper worker;
    sem_t wake; /* of the worker, when it sleeps */
    struct sleeper *loop;
    int loop_fd; /* the eventfd that wakes the loop */

    /* loop thread */
    bool pushed; /* something since the last wake */
    struct job stop, trim;
    atomic_bool trim_pushed; /* the worker has not seen it yet */

    /* worker thread */
    bool completed; /* something since the last signal to the loop */
    struct job synced;
    atomic_bool synced_pushed; /* the loop has not seen it yet */
};

/* Room for `capacity` jobs each way, beside the messages. 0 or -errno; then there is nothing to
 * free. */
int mailbox_init(struct mailbox *mailbox, size_t capacity, struct sleeper *loop, int loop_fd);

/* No other thread may use it any more. */
void mailbox_free(struct mailbox *mailbox);

/* Loop. Nothing wakes the worker before mailbox_wake_pushed. */
void mailbox_push(struct mailbox *mailbox, struct job *job);
void mailbox_push_stop(struct mailbox *mailbox);
void mailbox_push_trim(struct mailbox *mailbox);

/* Loop: wakes the worker if something was pushed since the last call and it sleeps. */
void mailbox_wake_pushed(struct mailbox *mailbox);

/* Loop: how many jobs and messages have come back, and the next of them. */
size_t mailbox_completed(const struct mailbox *mailbox);
struct job *mailbox_pop(struct mailbox *mailbox);

/* Loop: what was popped is no job but the message of mailbox_tell_synced. */
bool mailbox_is_synced(struct mailbox *mailbox, const struct job *job);

enum mailbox_kind { MAILBOX_JOB, MAILBOX_STOP, MAILBOX_TRIM };

/* Worker: how many jobs and messages are there, the next of them, and what it is. */
size_t mailbox_count(const struct mailbox *mailbox);
struct job *mailbox_take(struct mailbox *mailbox);
enum mailbox_kind mailbox_kind(struct mailbox *mailbox, const struct job *job);

/* Worker: hands a job back, with an error or 0; the loop learns of it by mailbox_signal_loop. */
void mailbox_complete(struct mailbox *mailbox, struct job *job, int error);
void mailbox_complete_all(struct mailbox *mailbox, struct job *first); /* with their errors */

/* Worker: sends the loop the message, if it has seen the last one. */
void mailbox_tell_synced(struct mailbox *mailbox);

/* Worker: wakes the loop if something was handed back since the last call and it sleeps. */
void mailbox_signal_loop(struct mailbox *mailbox);

/* Worker: sleeps, unless `ready` says that there is something, until it is woken; or until
 * `due_ns`, if that is not 0. `ready` looks at the mailbox, too. */
void mailbox_sleep(struct mailbox *mailbox, uint64_t due_ns, bool (*ready)(const void *argument),
                   const void *argument);

/* Any thread, after it has made `ready` true: wakes the worker if it sleeps. `mailbox` is a struct
 * mailbox; for bucket_syncs.h. */
void mailbox_wake(void *mailbox);

#endif
