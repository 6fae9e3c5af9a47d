#include "work/ends.h"

#include <errno.h>
#include <stdlib.h>

#include "store/bucket.h"
#include "store/error.h"
#include "work/open_prefix.h"

/* Some milliseconds, if their ends have to be searched for. */
#define FILES_IN_A_STEP 16

/* Of a file that is not in use, or not open now. */
static int find_end_of_file(struct file_cache *cache, const struct open_prefix *prefix,
                            unsigned bucket, int64_t *end)
{
    struct bucket *opened;
    int error;
    do
        error = bucket_open(cache->root, prefix->name, bucket, false, &opened);
    while (file_cache_free_descriptor(cache, error));
    *end = 0; /* of one that is not there yet, if somebody else writes to the root */
    if (error == STORE_NO_FILE && root_read_only(cache->root))
        return 0;
    if (error == STORE_NO_FILE)
        return file_cache_explain_missing(cache, prefix);
    if (error != 0)
        return file_cache_wait_or(cache, error);
    error = bucket_find_end(opened, end);
    (void)bucket_close(opened); /* nothing was written through it */
    return error;
}

static int find_end(struct file_cache *cache, const struct open_prefix *prefix, unsigned bucket,
                    int64_t *end)
{
    struct bucket *used = prefix->slots[bucket].bucket;
    if (used != NULL && (bucket_writable(used) || !bucket_suspended(used)) &&
        (!bucket_grows(used) || bucket_refresh(used) == 0))
        return bucket_find_end(used, end);
    return find_end_of_file(cache, prefix, bucket, end);
}

bool ends_step(struct file_cache *cache, struct job *job, unsigned index, unsigned workers)
{
    const struct open_prefix *prefix = job->route.prefix;
    unsigned *next = &job->ends.next, buckets = prefix->manifest.buckets;
    if (job->ends.ends == NULL)
        job->ends.ends = calloc(buckets, sizeof(*job->ends.ends));
    job->error = job->ends.ends == NULL ? -ENOMEM : 0;
    for (unsigned files = 0; job->error == 0 && *next < buckets && files < FILES_IN_A_STEP;) {
        if (open_prefix_owner(prefix, *next, workers) == index) {
            job->bucket = *next;
            job->error = find_end(cache, prefix, *next, &job->ends.ends[*next]);
            if (job->error != 0)
                break;
            files++;
        }
        ++*next;
    }
    return job->error != 0 || *next == buckets;
}
