#include "store/name_syncs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/error.h"

/* All but `failed` is under the lock once it has begun. */
struct name_syncs {
    pthread_mutex_t lock;
    unsigned parents;   /* of the root's directory, upwards: not synced yet */
    atomic_bool failed; /* an fsync of the root or one of its parents */
    bool reported;      /* and a call of name_syncs_run has returned it */
    int error;          /* if it is not reported yet */
};

int name_syncs_new(struct name_syncs **out)
{
    struct name_syncs *syncs = calloc(1, sizeof(*syncs));
    if (syncs == NULL)
        return -ENOMEM;
    int error = pthread_mutex_init(&syncs->lock, NULL);
    if (error != 0) {
        free(syncs);
        return -error;
    }
    *out = syncs;
    return 0;
}

void name_syncs_free(struct name_syncs *syncs)
{
    if (syncs != NULL)
        (void)pthread_mutex_destroy(&syncs->lock);
    free(syncs);
}

int name_syncs_directory(int directory_fd)
{
    return fsync(directory_fd) == 0 || errno == EINVAL ? 0 : -errno;
}

static int sync_parents(struct name_syncs *syncs, int root_fd, bool *failed)
{
    int fd = root_fd, error = 0;
    for (unsigned level = 0; error == 0 && level < syncs->parents; level++) {
        int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        error = parent < 0 ? -errno : 0;
        if (fd != root_fd)
            (void)close(fd);
        fd = parent;
        if (error == 0)
            error = name_syncs_directory(fd);
        *failed = error != 0 && fd >= 0;
    }
    if (fd >= 0 && fd != root_fd)
        (void)close(fd);
    if (error == 0)
        syncs->parents = 0;
    return error;
}

void name_syncs_begin(struct name_syncs *syncs, int root_fd, unsigned made)
{
    bool failed = false;
    syncs->parents = made;
    int error = sync_parents(syncs, root_fd, &failed);
    syncs->failed = failed;
    syncs->error = error;
}

int name_syncs_run(struct name_syncs *syncs, int root_fd, bool *failed)
{
    *failed = false;
    int error = pthread_mutex_lock(&syncs->lock);
    if (error != 0)
        return -error;
    if (syncs->failed) {
        error = syncs->reported ? STORE_SYNC_REFUSED : syncs->error;
        *failed = syncs->reported = true;
    } else {
        error = name_syncs_directory(root_fd);
        *failed = error != 0;
        if (error == 0)
            error = sync_parents(syncs, root_fd, failed);
        syncs->failed = syncs->reported = *failed;
    }
    (void)pthread_mutex_unlock(&syncs->lock);
    return error;
}

bool name_syncs_failed(const struct name_syncs *syncs)
{
    return syncs->failed;
}
