#include "work/resolver.h"

#include "store/error.h"
#include "store/prefix.h"
#include "work/open_prefix.h"

/* A few milliseconds. */
#define FILES_IN_A_STEP 64

/* True: done. Otherwise it waits for its next step. */
static bool finish_step(struct resolver *resolver, struct job *job, int error)
{
    job->error = error;
    if (error == STORE_SAME_DIRECTORY)
        root_find_holder(resolver->root, job->route.prefix->name, (char *)job->small);
    if (error != 0)
        prefix_abandon(resolver->root, &job->route.prefix->missing);
    if (job->route.prefix->missing == 0)
        return true;
    job_list_add(&resolver->unfinished, job);
    return false;
}

/* Before the file is read: what changes it afterwards is noticed. */
static int stamp_manifest(const struct resolver *resolver, struct open_prefix *prefix)
{
    char path[MANIFEST_PATH_BYTES];
    if (!root_read_only(resolver->root))
        return 0;
    manifest_path(prefix->name, path);
    return root_stamp_file(resolver->root, path, &prefix->stamp);
}

bool resolver_begin(struct resolver *resolver, struct job *job)
{
    struct open_prefix *prefix = job->route.prefix;
    const struct manifest if_new = {
        .buckets = prefix->buckets_if_new != 0 ? prefix->buckets_if_new : resolver->buckets_if_new,
        .hash = MANIFEST_XXH3,
        .slots = resolver->slots_if_new};
    int error;
    prefix->missing = 0;
    job->bucket = PREFIX_DIRECTORY;
    error = job->route.create ? root_check(resolver->root) : stamp_manifest(resolver, prefix);
    if (error != 0)
        return finish_step(resolver, job, error);
    do
        error = prefix_find(resolver->root, prefix->name, &if_new, job->route.create,
                            &prefix->manifest, &prefix->missing, &job->bucket);
    while (file_cache_free_descriptor(resolver->cache, error));
    error = file_cache_wait_or(resolver->cache, error);
    return finish_step(resolver, job, error);
}

struct job *resolver_step(struct resolver *resolver)
{
    struct job *job = job_list_pop(&resolver->unfinished);
    struct open_prefix *prefix = job->route.prefix;
    int error = root_check(resolver->root);
    if (error != 0)
        return finish_step(resolver, job, error) ? job : NULL;
    do
        error = prefix_make_files(resolver->root, prefix->name, &prefix->manifest, &prefix->missing,
                                  FILES_IN_A_STEP);
    while (file_cache_free_descriptor(resolver->cache, error));
    error = file_cache_wait_or(resolver->cache, error);
    return finish_step(resolver, job, error) ? job : NULL;
}
