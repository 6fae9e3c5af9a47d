#include "store/prefix_limit.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "store/error.h"
#include "store/listing.h"

/* The root is listed again when the count is so old; also to find out whether it is really at the
 * limit, but then not again and again for a client that tries. */
#define COUNT_SECONDS 60
#define COUNT_SECONDS_AT_LIMIT 1
/* For each prefix besides its bucket files: the directory and MANIFEST. */
#define OTHER_INODES 2

struct prefix_limit {
    pthread_mutex_t lock;
    int root_fd;
    unsigned most;
    unsigned count; /* of the prefixes, if `counted` */
    bool counted;
    int64_t counted_s;     /* clock_monotonic_s, when the root was listed */
    bool counted_at_limit; /* as many were found as may exist */
    unsigned making;       /* of the count: directories that are still to be made */
    uint64_t promised;     /* files that are still to be made */
};

int prefix_limit_new(int root_fd, struct prefix_limit **out)
{
    struct prefix_limit *limit = calloc(1, sizeof(*limit));
    if (limit == NULL)
        return -ENOMEM;
    int error = pthread_mutex_init(&limit->lock, NULL);
    if (error != 0) {
        free(limit);
        return -error;
    }
    limit->root_fd = root_fd;
    limit->most = UINT_MAX;
    *out = limit;
    return 0;
}

void prefix_limit_free(struct prefix_limit *limit)
{
    if (limit != NULL)
        (void)pthread_mutex_destroy(&limit->lock);
    free(limit);
}

void prefix_limit_set(struct prefix_limit *limit, unsigned most)
{
    limit->most = most;
}

static int count_prefixes(int root_fd, unsigned *count)
{
    DIR *directory;
    int error = listing_open(root_fd, &directory);
    if (error != 0)
        return error;
    const struct dirent *entry;
    *count = 0;
    for (errno = 0; (entry = readdir(directory)) != NULL; errno = 0)
        *count += listing_may_be_prefix(root_fd, entry);
    error = -errno;
    (void)closedir(directory);
    return error;
}

/* What the root was when it was listed may not be true any more. A list made now lacks the
 * directories that are still to be made. */
static bool count_is_old(const struct prefix_limit *limit)
{
    if (limit->making > 0)
        return false;
    int64_t age = clock_monotonic_s() - limit->counted_s;
    if (limit->count < limit->most)
        return age >= COUNT_SECONDS;
    return !limit->counted_at_limit || age >= COUNT_SECONDS_AT_LIMIT;
}

static int check_count(struct prefix_limit *limit)
{
    if (limit->most == UINT_MAX)
        return 0;
    if (!limit->counted || count_is_old(limit)) {
        int error = count_prefixes(limit->root_fd, &limit->count);
        limit->counted = error == 0;
        if (error != 0)
            return error;
        limit->count += limit->making; /* more than 0 if the root could not be listed before */
        limit->counted_s = clock_monotonic_s();
        limit->counted_at_limit = limit->count >= limit->most;
    }
    return limit->count < limit->most ? 0 : STORE_TOO_MANY_PREFIXES;
}

/* A file system that does not say how many it has has no limit of its own. */
static int check_inodes(const struct prefix_limit *limit, unsigned files)
{
    struct statvfs status;
    if (fstatvfs(limit->root_fd, &status) != 0 || status.f_files == 0)
        return 0;
    uint64_t kept = status.f_files / 100;
    if (kept > PREFIX_LIMIT_INODES_KEPT)
        kept = PREFIX_LIMIT_INODES_KEPT;
    uint64_t needed = kept + limit->promised + files + OTHER_INODES;
    return status.f_favail >= needed ? 0 : STORE_FEW_INODES;
}

int prefix_limit_take(struct prefix_limit *limit, bool new_directory, unsigned files)
{
    int error = pthread_mutex_lock(&limit->lock);
    if (error != 0)
        return -error;
    error = new_directory ? check_count(limit) : 0;
    if (error == 0)
        error = check_inodes(limit, files);
    if (error == 0) {
        limit->count += new_directory;
        limit->making += new_directory;
        limit->promised += files;
    }
    (void)pthread_mutex_unlock(&limit->lock);
    return error;
}

void prefix_limit_settle(struct prefix_limit *limit, unsigned files)
{
    if (pthread_mutex_lock(&limit->lock) != 0)
        return; /* then fewer are made than may be */
    limit->promised -= files;
    (void)pthread_mutex_unlock(&limit->lock);
}

static void end_making(struct prefix_limit *limit, bool made)
{
    if (pthread_mutex_lock(&limit->lock) != 0)
        return; /* then fewer are made than may be */
    limit->making--;
    limit->count -= !made;
    (void)pthread_mutex_unlock(&limit->lock);
}

void prefix_limit_made(struct prefix_limit *limit)
{
    end_making(limit, true);
}

void prefix_limit_give_back(struct prefix_limit *limit)
{
    end_making(limit, false);
}
