#include "work/prefix_data.h"

#include <errno.h>
#include <stddef.h>

#include "work/open_prefix.h"

unsigned prefix_data_buckets(const struct job *job)
{
    return job->route.prefix != NULL ? job->route.prefix->manifest.buckets : 0;
}

const struct manifest *prefix_data_manifest(const struct job *job)
{
    return job->route.prefix != NULL ? &job->route.prefix->manifest : NULL;
}

void *prefix_data_get(const struct job *job)
{
    return job->route.prefix != NULL ? job->route.prefix->data : NULL;
}

int prefix_data_set(const struct job *job, void *data, void (*free_data)(void *data))
{
    if (job->route.prefix == NULL)
        return -EINVAL;
    open_prefix_set_data(job->route.prefix, data, free_data);
    return 0;
}
