/*
 * fail_heap: allocations that fail as the test plans it.
 *
 * Preloaded into the server under test. The file $FAIL_HEAP is shared memory:
 * of the allocations since `nth` was set (no_memory_test.py) number `nth` fails.
 * If it is negative, number -`nth` and all that follow.
 * Only those of LEAST_BYTES or more: libevent 2.1.12 itself does not survive
 * smaller ones that fail (it frees a half-made evhttp_request, a head loses a
 * line), and no caller can prevent that; or, to reach one of these, those of exactly so many
 * bytes. `seen` counts them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define LEAST_BYTES 1000

struct plan {
    atomic_int nth, seen;
    atomic_int exactly; /* if it is not 0: only those of so many bytes */
};

static struct plan *plan;

/* The C library's own names for them: dlsym would allocate. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *memory);

static __attribute__((constructor)) void map_plan(void)
{
    const char *path = getenv("FAIL_HEAP");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (mapped != MAP_FAILED)
        plan = mapped;
}

static bool fails(size_t bytes)
{
    int nth = plan == NULL ? 0 : atomic_load(&plan->nth);
    if (nth == 0)
        return false;
    int exactly = atomic_load(&plan->exactly);
    if (exactly != 0 ? bytes != (size_t)exactly : bytes < LEAST_BYTES)
        return false;
    int seen = atomic_fetch_add(&plan->seen, 1) + 1;
    if (nth > 0 ? seen != nth : seen < -nth)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t bytes)
{
    return fails(bytes) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return fails(count * bytes) ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
    return fails(bytes) ? NULL : __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return fails(bytes) ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    *memory = fails(bytes) ? NULL : __libc_memalign(alignment, bytes);
    return *memory != NULL ? 0 : ENOMEM;
}

/* Not that of another allocator which the server is linked with. */
void free(void *memory)
{
    __libc_free(memory);
}
