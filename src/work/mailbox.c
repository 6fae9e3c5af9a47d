#include "work/mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* Messages to the worker, and to the loop. */
#define MESSAGES_IN 2
#define MESSAGES_OUT 1

int mailbox_init(struct mailbox *mailbox, size_t capacity, struct sleeper *loop, int loop_fd)
{
    mailbox->loop = loop;
    mailbox->loop_fd = loop_fd;
    sleeper_init(&mailbox->worker);
    if (sem_init(&mailbox->wake, 0, 0) != 0)
        return -errno;
    mailbox->in = ring_new(capacity + MESSAGES_IN);
    mailbox->out = ring_new(capacity + MESSAGES_OUT);
    if (mailbox->in != NULL && mailbox->out != NULL)
        return 0;
    mailbox_free(mailbox);
    return -ENOMEM;
}

void mailbox_free(struct mailbox *mailbox)
{
    (void)sem_destroy(&mailbox->wake);
    ring_free(mailbox->in);
    ring_free(mailbox->out);
}

/* Admission counts jobs, and the rings have room for as many. A job that did not get in would never
 * get a reply, and a close would wait for it for ever. */
static void push_or_abort(struct ring *ring, struct job *job)
{
    if (ring_push(ring, job))
        return;
    log_line("a ring between loop and worker is full; this must not happen");
    log_flush();
    abort();
}

void mailbox_push(struct mailbox *mailbox, struct job *job)
{
    push_or_abort(mailbox->in, job);
    mailbox->pushed = true;
}

void mailbox_push_stop(struct mailbox *mailbox)
{
    mailbox_push(mailbox, &mailbox->stop);
}

void mailbox_push_trim(struct mailbox *mailbox)
{
    if (!atomic_exchange(&mailbox->trim_pushed, true))
        mailbox_push(mailbox, &mailbox->trim);
}

void mailbox_wake(void *argument)
{
    struct mailbox *mailbox = argument;
    if (sleeper_claim(&mailbox->worker))
        (void)sem_post(&mailbox->wake);
}

void mailbox_wake_pushed(struct mailbox *mailbox)
{
    if (!mailbox->pushed)
        return;
    mailbox->pushed = false;
    mailbox_wake(mailbox);
}

size_t mailbox_completed(const struct mailbox *mailbox)
{
    return ring_count(mailbox->out);
}

struct job *mailbox_pop(struct mailbox *mailbox)
{
    return ring_pop(mailbox->out);
}

bool mailbox_is_synced(struct mailbox *mailbox, const struct job *job)
{
    if (job != &mailbox->synced)
        return false;
    atomic_store(&mailbox->synced_pushed, false); /* before the bits are looked at */
    return true;
}

size_t mailbox_count(const struct mailbox *mailbox)
{
    return ring_count(mailbox->in);
}

struct job *mailbox_take(struct mailbox *mailbox)
{
    return ring_pop(mailbox->in);
}

enum mailbox_kind mailbox_kind(struct mailbox *mailbox, const struct job *job)
{
    if (job == &mailbox->stop)
        return MAILBOX_STOP;
    if (job != &mailbox->trim)
        return MAILBOX_JOB;
    atomic_store(&mailbox->trim_pushed, false);
    return MAILBOX_TRIM;
}

void mailbox_complete(struct mailbox *mailbox, struct job *job, int error)
{
    job->error = error;
    push_or_abort(mailbox->out, job);
    mailbox->completed = true;
}

void mailbox_complete_all(struct mailbox *mailbox, struct job *first)
{
    for (struct job *job = first, *next; job != NULL; job = next) {
        next = job->route.next; /* the loop's, once it is handed back */
        mailbox_complete(mailbox, job, job->error);
    }
}

void mailbox_tell_synced(struct mailbox *mailbox)
{
    if (atomic_exchange(&mailbox->synced_pushed, true))
        return;
    push_or_abort(mailbox->out, &mailbox->synced);
    mailbox->completed = true;
}

void mailbox_signal_loop(struct mailbox *mailbox)
{
    if (!mailbox->completed)
        return;
    mailbox->completed = false;
    if (!sleeper_claim(mailbox->loop))
        return;
    const uint64_t one = 1;
    while (write(mailbox->loop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

/* A wake-up that comes at the very moment `due_ns` is for the next wait, which then ends for
 * nothing. */
static void wait_for_wake(struct mailbox *mailbox, uint64_t due_ns)
{
    const struct timespec due = {.tv_sec = (time_t)(due_ns / CLOCK_NS_PER_SECOND),
                                 .tv_nsec = (long)(due_ns % CLOCK_NS_PER_SECOND)};
    while ((due_ns == 0 ? sem_wait(&mailbox->wake)
                        : sem_clockwait(&mailbox->wake, CLOCK_MONOTONIC, &due)) != 0 &&
           errno == EINTR)
        ;
}

void mailbox_sleep(struct mailbox *mailbox, uint64_t due_ns, bool (*ready)(const void *argument),
                   const void *argument)
{
    sleeper_announce(&mailbox->worker);
    if (!ready(argument))
        wait_for_wake(mailbox, due_ns);
    sleeper_stay(&mailbox->worker);
}
