/*
 * count_trims: how often a program has given free memory back.
 *
 * Preloaded into the server under test. The file $TRIM_COUNT holds an int, which
 * is counted up at each call of mimalloc's mi_collect, in any thread.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_int *count;

void mi_collect(bool force);

static __attribute__((constructor)) void map_count(void)
{
    const char *path = getenv("TRIM_COUNT");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (mapped != MAP_FAILED)
        count = mapped;
}

void mi_collect(bool force)
{
    static void (*real)(bool);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "mi_collect");
    real(force);
    if (count != NULL)
        atomic_fetch_add(count, 1);
}
