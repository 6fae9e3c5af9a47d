#include "work/single_client.h"

#include <sched.h>

#include "base/clock.h"

#define ROW_MIN 16
/* A worker takes less than this for a job that does not wait for the disk. The next request of a
 * client on the same machine takes not much longer, but it may be for another worker, and so may
 * the one after it. A worker that has gone to sleep meanwhile makes that client slower, so that
 * spinning does not pay for the other workers either. */
#define LOOP_SPIN_NS 100000
#define WORKER_SPIN_NS 300000
#define LOOKS 16 /* between two looks at the clock */
#define BACKOFF_MAX 16

/* On a single core the other side could not do anything meanwhile. */
static bool has_cores(void)
{
    cpu_set_t cores;
    return sched_getaffinity(0, sizeof(cores), &cores) == 0 && CPU_COUNT(&cores) > 1;
}

void single_client_init_loop(struct single_client *client)
{
    *client = (struct single_client){.spin_ns = has_cores() ? LOOP_SPIN_NS : 0};
}

void single_client_init_worker(struct single_client *client)
{
    *client = (struct single_client){.spin_ns = has_cores() ? WORKER_SPIN_NS : 0, .yields = true};
}

bool single_client_pushed(struct single_client *client, unsigned in_flight)
{
    if (in_flight > 1)
        client->row = 0;
    else if (client->row < ROW_MIN)
        client->row++;
    client->is_single = client->row == ROW_MIN;
    return client->is_single;
}

void single_client_popped(struct single_client *client, bool is_single)
{
    client->is_single = is_single;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool spin(const struct single_client *client, bool (*ready)(const void *argument),
                 const void *argument)
{
    uint64_t until_ns = clock_monotonic_ns() + client->spin_ns;
    do {
        for (unsigned i = 0; i < LOOKS; i++) {
            if (ready(argument))
                return true;
            relax();
        }
        if (client->yields)
            (void)sched_yield();
    } while (clock_monotonic_ns() < until_ns);
    return ready(argument);
}

bool single_client_spin(struct single_client *client, bool (*ready)(const void *argument),
                        const void *argument)
{
    if (!client->is_single || client->spin_ns == 0)
        return false;
    if (client->skips > 0) {
        client->skips--;
        return false;
    }
    if (spin(client, ready, argument)) {
        client->backoff = 0;
        return true;
    }
    client->backoff = client->backoff * 2 + 1;
    if (client->backoff > BACKOFF_MAX)
        client->backoff = BACKOFF_MAX;
    client->skips = client->backoff;
    return false;
}
