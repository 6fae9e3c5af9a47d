#include "net/reservations.h"

#include <stddef.h>

/* The first step of a body of unknown length: that of a small request. */
#define STEP_BYTES_MIN (BUDGET_MEDIUM_BYTES - 1)

void reservations_init(struct reservations *reservations, uint64_t limit_bytes,
                       uint64_t reply_bytes)
{
    *reservations =
        (struct reservations){.budget = {.limit_bytes = limit_bytes, .reply_bytes = reply_bytes}};
    for (unsigned size = 0; size < BUDGET_SIZES; size++)
        TAILQ_INIT(&reservations->waiting[size]);
    TAILQ_INIT(&reservations->waiting_to_grow);
    TAILQ_INIT(&reservations->growing);
}

bool reservations_wanted(const struct reservations *reservations)
{
    bool wanted = !TAILQ_EMPTY(&reservations->waiting_to_grow);
    for (unsigned size = 0; size < BUDGET_SIZES; size++)
        wanted = wanted || !TAILQ_EMPTY(&reservations->waiting[size]);
    return wanted;
}

bool reservations_released(const struct reservations *reservations)
{
    return reservations->released;
}

uint64_t reservations_bytes(const struct reservations *reservations,
                            const struct reservation *reservation)
{
    if (!reservation->held)
        return 0;
    bool oldest = reservation == TAILQ_FIRST(&reservations->growing);
    return oldest ? reservation->body.bytes_max : reservation->body.bytes;
}

uint64_t reservations_step(uint64_t needed, uint64_t held, uint64_t bytes_max)
{
    uint64_t step = held == 0 ? STEP_BYTES_MIN : 2 * held;
    if (step < needed)
        step = needed;
    return step < bytes_max ? step : bytes_max;
}

static void keep_for_oldest(struct reservations *reservations)
{
    const struct reservation *oldest = TAILQ_FIRST(&reservations->growing);
    if (oldest != NULL)
        budget_keep(&reservations->budget, oldest->body);
    else
        budget_keep_nothing(&reservations->budget);
}

/* Smaller ones must not use what larger ones wait for. */
static bool may_overtake(const struct reservations *reservations, struct budget_body body)
{
    for (unsigned size = budget_size(body.bytes_max) + 1; size < BUDGET_SIZES; size++)
        if (!TAILQ_EMPTY(&reservations->waiting[size]) &&
            !budget_leaves_room(&reservations->budget, body, size))
            return false;
    return true;
}

static bool reserve(struct reservations *reservations, struct reservation *reservation,
                    uint64_t now_ms)
{
    struct budget_body body = {reservation->wanted_bytes, reservation->body.bytes_max};
    if (!may_overtake(reservations, body) || !budget_reserve(&reservations->budget, body))
        return false;
    reservation->held = true;
    reservation->since_ms = now_ms;
    reservation->body = body;
    reservation->grows = body.bytes_max > body.bytes;
    if (reservation->grows)
        TAILQ_INSERT_TAIL(&reservations->growing, reservation, growing_entry);
    keep_for_oldest(reservations);
    return true;
}

static bool grow_held(struct reservations *reservations, struct reservation *reservation)
{
    bool oldest = reservation == TAILQ_FIRST(&reservations->growing);
    if (!budget_grow(&reservations->budget, reservation->body, reservation->wanted_bytes, oldest))
        return false;
    reservation->body.bytes = reservation->wanted_bytes;
    keep_for_oldest(reservations);
    return true;
}

static void stop_waiting(struct reservation *reservation)
{
    if (reservation->waiting != NULL)
        TAILQ_REMOVE(reservation->waiting, reservation, waiting_entry);
    reservation->waiting = NULL;
}

bool reservations_want(struct reservations *reservations, struct reservation *reservation,
                       uint64_t bytes, uint64_t bytes_max, uint64_t now_ms)
{
    struct reservation_list *list = &reservations->waiting_to_grow;
    reservation->wanted_bytes = bytes;
    if (reservation->held) {
        if (grow_held(reservations, reservation))
            return true;
    } else {
        reservation->body.bytes_max = bytes_max;
        list = &reservations->waiting[budget_size(bytes_max)];
        if (TAILQ_EMPTY(list) && reserve(reservations, reservation, now_ms))
            return true;
    }
    reservation->waiting = list;
    TAILQ_INSERT_TAIL(list, reservation, waiting_entry);
    return false;
}

void reservations_release(struct reservations *reservations, struct reservation *reservation)
{
    stop_waiting(reservation);
    reservations->released = reservations_wanted(reservations); /* others may have waited for it */
    if (!reservation->held)
        return;
    reservation->held = false;
    if (reservation->grows)
        TAILQ_REMOVE(&reservations->growing, reservation, growing_entry);
    budget_release(&reservations->budget, reservation->body);
    keep_for_oldest(reservations);
}

/*
 * The first goes on as soon as it fits. Each of them once: one whose next request waits again by
 * then is behind `last`, and its turn is in the next loop iteration. That comes before the loop
 * sleeps, since it has released memory while others waited. None goes on but the one at hand, so
 * `last` stays where it is until it is reached.
 */
static void grant_in_order(struct reservations *reservations, struct reservation_list *list,
                           uint64_t now_ms)
{
    struct reservation *first, *last = TAILQ_LAST(list, reservation_list);
    bool more = last != NULL;
    while (more && (first = TAILQ_FIRST(list)) != NULL && reserve(reservations, first, now_ms)) {
        stop_waiting(first);
        more = first != last;
        first->granted(first);
    }
}

/* Of bodies that grow none holds up another. */
static void grant_growth(struct reservations *reservations)
{
    struct reservation *reservation, *next;
    for (reservation = TAILQ_FIRST(&reservations->waiting_to_grow); reservation != NULL;
         reservation = next) {
        next = TAILQ_NEXT(reservation, waiting_entry);
        if (!grow_held(reservations, reservation))
            continue;
        stop_waiting(reservation);
        reservation->granted(reservation);
    }
}

void reservations_grant(struct reservations *reservations, uint64_t now_ms)
{
    reservations->released = false; /* what is released from here on is for the next iteration */
    grant_growth(reservations);
    for (unsigned size = 0; size < BUDGET_SIZES; size++)
        grant_in_order(reservations, &reservations->waiting[size], now_ms);
}
