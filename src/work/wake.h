/*
 * wake: how a sleeping thread is woken when its ring is not empty any more.
 *
 * Both directions use the same protocol, which calls the kernel only when the
 * other side really sleeps:
 *
 *   sleeper                              waker
 *   1 exchange asleep with true          1 push to the ring
 *   2 look at the ring once more         2 exchange asleep with false
 *   3 sleep if it is empty               3 signal if it was true
 *
 * Both exchanges are read-modify-writes of one variable, so one comes first.
 * If the sleeper's does, the waker sees true and signals. If the waker's does,
 * the sleeper's acquire pairs with its release and step 2 finds the element.
 */
#ifndef ROCHEFORT_WORK_WAKE_H
#define ROCHEFORT_WORK_WAKE_H

#include <stdatomic.h>
#include <stdbool.h>

struct sleeper {
    atomic_bool asleep;
};

static inline void sleeper_init(struct sleeper *sleeper)
{
    atomic_init(&sleeper->asleep, false);
}

/* Sleeper, step 1. Look at the rings after this, then sleep or call sleeper_stay. */
static inline void sleeper_announce(struct sleeper *sleeper)
{
    (void)atomic_exchange_explicit(&sleeper->asleep, true, memory_order_acq_rel);
}

/* Sleeper: awake again. An exchange, not a store: a store would break the waker's release sequence.
 */
static inline void sleeper_stay(struct sleeper *sleeper)
{
    (void)atomic_exchange_explicit(&sleeper->asleep, false, memory_order_acq_rel);
}

/* Waker, step 2: true if the caller has to signal. Once for a burst, after its last push. */
static inline bool sleeper_claim(struct sleeper *sleeper)
{
    return atomic_exchange_explicit(&sleeper->asleep, false, memory_order_acq_rel);
}

#endif
