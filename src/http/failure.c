#include "http/failure.h"

#include <inttypes.h>
#include <stdio.h>

#include "http/service.h"
#include "http/status.h"
#include "store/error.h"

#define NOT_FOUND_HINT "; use an offset with the id and storagePrefix it was answered for"

int failure_describe(const struct exchange *exchange, char out[FAILURE_TEXT_BYTES_MAX])
{
    const size_t bytes = FAILURE_TEXT_BYTES_MAX;
    const struct job *job = &exchange->job;
    const char *meaning, *root = exchange->service->root, *prefix = exchange->query.prefix;
    int status = status_of_error(job->error, &meaning);
    /* the record was taken out again; the status is that of what happened */
    const char *what = job->kind == JOB_APPEND && job->sync ? "could not be synced: " : "";
    char file[BUCKET_FILE_NAME_BYTES];
    bucket_file_name(job->bucket, file);
    if (job->error == STORE_NO_PREFIX)
        (void)snprintf(out, bytes, "no such storagePrefix: %s; the first append makes it", prefix);
    else if (!job->has_bucket)
        (void)snprintf(out, bytes, "%s: %s/%s", meaning, root, prefix);
    else if (job->kind == JOB_APPEND)
        (void)snprintf(out, bytes, "%s%s: %s/%s/%s", what, meaning, root, prefix, file);
    else
        (void)snprintf(out, bytes, "%s: offset %" PRIu64 " of %s/%s/%s%s", meaning,
                       (uint64_t)job->offset, root, prefix, file,
                       job->error == STORE_NOT_FOUND ? NOT_FOUND_HINT : "");
    return status;
}
