#include "work/prefix_names.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/error.h"
#include "store/prefix_sync.h"

/* So many bucket files a thread syncs before other syncs have their turn. */
#define FILES_AT_ONCE 4

struct names_lock {
    const struct root *root;
    struct sync_pool *pool;
    pthread_mutex_t lock;
    bool root_under_way;
    struct sync_work *root_waiting; /* prefixes whose directory is synced */
};

/* These calls fail only if the lock is not one. */
static void must(int error)
{
    if (error == 0)
        return;
    log_line("the lock of the names: %s", strerror(error));
    log_flush();
    abort();
}

struct names_lock *names_lock_new(const struct root *root, struct sync_pool *pool)
{
    struct names_lock *all = calloc(1, sizeof(*all));
    if (all == NULL)
        return NULL;
    all->root = root;
    all->pool = pool;
    if (pthread_mutex_init(&all->lock, NULL) == 0)
        return all;
    free(all);
    return NULL;
}

void names_lock_free(struct names_lock *all)
{
    if (all != NULL)
        must(pthread_mutex_destroy(&all->lock));
    free(all);
}

static struct prefix_names *names_of(struct sync_work *work)
{
    return (struct prefix_names *)(void *)((char *)work - offsetof(struct prefix_names, work));
}

static void push_all(struct sync_pool *pool, struct sync_work *work)
{
    for (struct sync_work *next; work != NULL; work = next) {
        next = work->next;
        sync_pool_push(pool, work);
    }
}

/* Hands the result to those that wait. Then `names` must not be touched any more: they may be done
 * soon, and the prefix be closed. */
static void finish_names(struct prefix_names *names, int error, bool failed)
{
    struct names_lock *all = names->all;
    must(pthread_mutex_lock(&all->lock));
    names->under_way = false;
    if (error == 0) {
        names->was_synced = true;
        names->synced = names->covered;
    }
    names->refused = names->refused || failed;
    struct sync_work *waiting = names->waiting;
    names->waiting = NULL;
    for (struct sync_work *work = waiting; work != NULL; work = work->next) {
        struct names_waiter *waiter = (struct names_waiter *)(void *)work;
        waiter->error = error;
        waiter->failed = failed;
    }
    must(pthread_mutex_unlock(&all->lock));
    push_all(all->pool, waiting);
}

/* One thread at a time; the others' works wait. */
static void sync_root(struct sync_work *work)
{
    struct prefix_names *names = names_of(work);
    struct names_lock *all = names->all;
    must(pthread_mutex_lock(&all->lock));
    bool waits = all->root_under_way;
    if (waits) {
        work->next = all->root_waiting;
        all->root_waiting = work;
    }
    all->root_under_way = true;
    must(pthread_mutex_unlock(&all->lock));
    if (waits)
        return;
    bool failed;
    int error = root_sync_names(all->root, &failed);
    must(pthread_mutex_lock(&all->lock));
    all->root_under_way = false;
    struct sync_work *waiting = all->root_waiting;
    all->root_waiting = NULL;
    must(pthread_mutex_unlock(&all->lock));
    push_all(all->pool, waiting);
    finish_names(names, error, failed);
}

static void sync_directories(struct prefix_names *names)
{
    bool failed = names->failed;
    int error = names->error;
    if (error == 0)
        error = prefix_sync_directory(names->all->root, names->prefix, &failed);
    if (error != 0) {
        finish_names(names, error, failed);
        return;
    }
    names->work.run = sync_root;
    sync_root(&names->work);
}

/* Some of the bucket files; another thread goes on with the next. */
static void sync_files(struct sync_work *work)
{
    struct prefix_names *names = names_of(work);
    struct names_lock *all = names->all;
    unsigned buckets = names->buckets, next = names->taken, count = buckets - next;
    if (count > FILES_AT_ONCE)
        count = FILES_AT_ONCE;
    names->taken += count;
    if (names->taken < buckets)
        sync_pool_push(all->pool, work);
    int error = 0;
    bool failed = false;
    for (unsigned end = next + count; error == 0 && next < end; next++)
        error = prefix_sync_file(all->root, names->prefix, next, &failed);
    must(pthread_mutex_lock(&all->lock));
    names->done += count;
    if (names->error == 0 || (failed && !names->failed)) {
        names->error = error;
        names->failed = failed;
    }
    bool last = names->done == buckets;
    must(pthread_mutex_unlock(&all->lock));
    if (last)
        sync_directories(names);
}

/* With the lock. */
static void begin(struct prefix_names *names, struct names_lock *all)
{
    names->under_way = true;
    names->all = all;
    names->covered = names->made;
    names->taken = names->done = 0;
    names->error = 0;
    names->failed = false;
    names->work.run = sync_files;
}

bool prefix_names_sync(struct names_lock *all, struct prefix_names *names,
                       struct names_waiter *waiter)
{
    must(pthread_mutex_lock(&all->lock));
    bool known = names->refused || (names->was_synced && names->synced == names->made);
    bool begins = !known && !names->under_way;
    waiter->error = names->refused ? STORE_SYNC_REFUSED : 0;
    waiter->failed = names->refused;
    if (!known) {
        if (names->waiting == NULL)
            names->waiting_end = &names->waiting;
        waiter->work.next = NULL;
        *names->waiting_end = &waiter->work;
        names->waiting_end = &waiter->work.next;
    }
    if (begins)
        begin(names, all);
    must(pthread_mutex_unlock(&all->lock));
    if (begins)
        sync_files(&names->work);
    return known;
}

void prefix_names_made(struct names_lock *all, struct prefix_names *names)
{
    must(pthread_mutex_lock(&all->lock));
    names->made++;
    must(pthread_mutex_unlock(&all->lock));
}
