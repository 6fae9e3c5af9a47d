/*
 * count_trims: how often a program has given free memory back.
 *
 * Preloaded into the server under test. The file $TRIM_COUNT holds an int, which
 * is counted up at each call of jemalloc's mallctl to purge, in any thread.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_int *count;

int mallctl(const char *name, void *old, size_t *old_bytes, void *new, size_t new_bytes);

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

int mallctl(const char *name, void *old, size_t *old_bytes, void *new, size_t new_bytes)
{
    static int (*real)(const char *, void *, size_t *, void *, size_t);
    const char *last = strrchr(name, '.');
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "mallctl");
    if (count != NULL && last != NULL && strcmp(last, ".purge") == 0)
        atomic_fetch_add(count, 1);
    return real(name, old, old_bytes, new, new_bytes);
}
