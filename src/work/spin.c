#include "work/spin.h"

#include <sched.h>
#include <time.h>

#define LOOKS 16 /* between two offers */
#define LEAVE_OUT_MAX 16
#define NS_PER_SECOND 1000000000ULL

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool look(const struct spin *spin, bool (*ready)(const void *argument), const void *argument)
{
    uint64_t until_ns = now_ns() + spin->most_ns;
    do {
        for (unsigned i = 0; i < LOOKS; i++) {
            if (ready(argument))
                return true;
            relax();
        }
        if (spin->offers)
            (void)sched_yield();
    } while (now_ns() < until_ns);
    return ready(argument);
}

bool spin_until(struct spin *spin, bool (*ready)(const void *argument), const void *argument)
{
    if (spin->most_ns == 0)
        return false;
    if (spin->left_out > 0) {
        spin->left_out--;
        return false;
    }
    if (look(spin, ready, argument)) {
        spin->leave_out = 0;
        return true;
    }
    spin->leave_out = spin->leave_out * 2 + 1;
    if (spin->leave_out > LEAVE_OUT_MAX)
        spin->leave_out = LEAVE_OUT_MAX;
    spin->left_out = spin->leave_out;
    return false;
}
