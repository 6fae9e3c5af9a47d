#include "store/claims.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/error.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct directory {
    dev_t device;
    ino_t inode;
};

static_assert(sizeof(struct directory) == sizeof(dev_t) + sizeof(ino_t), "a key has no padding");

struct claim {
    struct directory directory;
    uint64_t takes;                  /* so often a directory was opened by the name */
    UT_hash_handle hh, by_directory; /* the second: while it has a directory */
    size_t name_bytes;
    char name[];
};

struct claims {
    pthread_mutex_t lock;
    struct claim *names, *directories; /* hash tables */
};

int claims_new(struct claims **out)
{
    struct claims *claims = calloc(1, sizeof(*claims));
    int error = claims != NULL ? -pthread_mutex_init(&claims->lock, NULL) : -ENOMEM;
    if (error != 0)
        free(claims);
    else
        *out = claims;
    return error;
}

static struct claim *find_directory(const struct claims *claims, const struct directory *directory)
{
    struct claim *claim;
    /* the analyzer loses track in uthash's hash: NOLINTNEXTLINE(clang-analyzer-core.*) */
    HASH_FIND(by_directory, claims->directories, directory, sizeof(*directory), claim);
    return claim;
}

static struct claim *find_name(const struct claims *claims, const char *name)
{
    struct claim *claim;
    HASH_FIND(hh, claims->names, name, strlen(name), claim);
    return claim;
}

/* The name stays, without a directory. */
static void give_up(struct claims *claims, struct claim *claim)
{
    if (claim->by_directory.tbl == NULL)
        return;
    HASH_DELETE(by_directory, claims->directories, claim);
    claim->by_directory.tbl = NULL;
}

static void remove_claim(struct claims *claims, struct claim *claim)
{
    give_up(claims, claim);
    HASH_DELETE(hh, claims->names, claim);
    free(claim);
}

void claims_free(struct claims *claims)
{
    if (claims == NULL)
        return;
    struct claim *claim, *next;
    HASH_ITER (hh, claims->names, claim, next)
        remove_claim(claims, claim);
    (void)pthread_mutex_destroy(&claims->lock);
    free(claims);
}

/* NULL when out of memory. */
static struct claim *find_or_add_name(struct claims *claims, const char *name)
{
    struct claim *claim = find_name(claims, name);
    if (claim != NULL)
        return claim;
    size_t bytes = strlen(name);
    claim = calloc(1, sizeof(*claim) + bytes + 1);
    if (claim == NULL)
        return NULL;
    memcpy(claim->name, name, bytes + 1);
    claim->name_bytes = bytes;
    HASH_ADD_KEYPTR(hh, claims->names, claim->name, bytes, claim);
    if (claim->hh.tbl != NULL)
        return claim;
    free(claim);
    return NULL;
}

/* No other name has the directory. */
static int give(struct claims *claims, const char *name, const struct directory *directory)
{
    struct claim *claim = find_or_add_name(claims, name);
    if (claim == NULL)
        return -ENOMEM;
    claim->takes++;
    if (find_directory(claims, directory) == claim)
        return 0;
    give_up(claims, claim);
    claim->directory = *directory;
    HASH_ADD(by_directory, claims->directories, directory, sizeof(*directory), claim);
    return claim->by_directory.tbl != NULL ? 0 : -ENOMEM;
}

/* What is known of the name that has a directory. */
struct holder {
    char name[NAME_MAX + 1];
    uint64_t takes;
};

/* Gives the directory to the name. If another name has it `*holder` becomes that one, unless it is
 * already that one, and has not opened it since: then it loses it. */
static int give_unless_held(struct claims *claims, const char *name,
                            const struct directory *directory, struct holder *holder)
{
    struct claim *other = find_directory(claims, directory);
    if (other == NULL || strcmp(other->name, name) == 0)
        return give(claims, name, directory);
    if (strcmp(other->name, holder->name) == 0 && other->takes == holder->takes) {
        give_up(claims, other);
        return give(claims, name, directory);
    }
    memcpy(holder->name, other->name, other->name_bytes + 1);
    holder->takes = other->takes;
    return STORE_SAME_DIRECTORY;
}

/* Whether a name leads to a directory: 0, STORE_CHANGED if it does not, or -errno. */
static int compare(int root_fd, const char *name, const struct directory *directory)
{
    struct stat status;
    if (fstatat(root_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? STORE_CHANGED : -errno;
    bool same = status.st_dev == directory->device && status.st_ino == directory->inode;
    return same ? 0 : STORE_CHANGED;
}

int claims_take(struct claims *claims, int root_fd, const char *name, dev_t device, ino_t inode)
{
    const struct directory directory = {.device = device, .inode = inode};
    struct holder holder = {.name = ""};
    while (true) {
        int error = -pthread_mutex_lock(&claims->lock);
        if (error != 0)
            return error;
        error = give_unless_held(claims, name, &directory, &holder);
        (void)pthread_mutex_unlock(&claims->lock);
        if (error != STORE_SAME_DIRECTORY)
            return error;
        error = compare(root_fd, holder.name, &directory);
        if (error != STORE_CHANGED)
            return error == 0 ? STORE_SAME_DIRECTORY : error;
    }
}

void claims_release(struct claims *claims, const char *name)
{
    if (pthread_mutex_lock(&claims->lock) != 0)
        return;
    struct claim *claim = find_name(claims, name);
    if (claim != NULL)
        remove_claim(claims, claim);
    (void)pthread_mutex_unlock(&claims->lock);
}

void claims_holder(struct claims *claims, dev_t device, ino_t inode, char out[NAME_MAX + 1])
{
    const struct directory directory = {.device = device, .inode = inode};
    out[0] = '\0';
    if (pthread_mutex_lock(&claims->lock) != 0)
        return;
    const struct claim *claim = find_directory(claims, &directory);
    if (claim != NULL)
        memcpy(out, claim->name, claim->name_bytes + 1);
    (void)pthread_mutex_unlock(&claims->lock);
}
