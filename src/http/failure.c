#include "http/failure.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "http/service.h"
#include "http/status.h"
#include "store/error.h"
#include "store/manifest.h"
#include "store/names.h"

/* Of a prefix: "<root>/<name>". */
#define PATH_BYTES (PATH_MAX + PREFIX_NAME_BYTES_MAX + 1)

/* What helps, for the end of the line; "" if nothing is known. After a space the path follows. */
static const char *find_help(int error)
{
    switch (error) {
    case STORE_NO_MANIFEST:
    case STORE_MANIFEST_TORN:
    case STORE_MANIFEST_INVALID:
        return "; stop the server and run: rochefort adopt -hash xxh3|fnv1a ";
    case STORE_FILES_MISSING:
        return "; bring them back, or stop the server and run: rochefort adopt -missing ";
    case STORE_FILES_ADDITIONAL:
        return "; move them away, or stop the server and look at it: rochefort verify ";
    case STORE_TOO_MANY_PREFIXES:
        return "; delete some, or restart the server with a larger -max-prefixes";
    case STORE_FEW_INODES:
        return "; delete files there, or use fewer -buckets";
    default:
        return "";
    }
}

/* The prefix could not be opened. */
static void describe_prefix(const struct job *job, const char *meaning, const char *root,
                            const char *prefix, char out[FAILURE_TEXT_BYTES_MAX])
{
    char path[PATH_BYTES], file[BUCKET_FILE_NAME_BYTES] = "";
    const char *help = find_help(job->error);
    bool ends_with_path = help[0] != '\0' && help[strlen(help) - 1] == ' ';
    (void)snprintf(path, sizeof(path), "%s/%s", root, prefix);
    if (job->bucket == PREFIX_MANIFEST)
        (void)snprintf(file, sizeof(file), "%s", MANIFEST_NAME);
    else if (job->bucket != PREFIX_DIRECTORY)
        bucket_file_name(job->bucket, file);
    (void)snprintf(out, FAILURE_TEXT_BYTES_MAX, "%s: %s%s%s%s%s", meaning, path,
                   file[0] != '\0' ? "/" : "", file, help, ends_with_path ? path : "");
}

#define NOT_FOUND_HINT "; use an offset with the id and storagePrefix it was answered for"

int failure_describe(const struct exchange *exchange, char out[FAILURE_TEXT_BYTES_MAX])
{
    const size_t bytes = FAILURE_TEXT_BYTES_MAX;
    const struct job *job = &exchange->job;
    const char *meaning, *root = exchange->service->root, *prefix = exchange->query.prefix;
    int status = status_of_error(job->error, &meaning);
    bool of_close = job->kind == JOB_CLOSE && job->has_bucket;
    if (of_close)
        status = 500; /* whatever it was: the files are closed, and a second try would hide it */
    /* the record was taken out again; the status is that of what happened */
    const char *what = "";
    if ((job->kind == JOB_APPEND || of_close) && job->sync)
        what = "could not be synced: ";
    else if (of_close)
        what = "could not be closed: ";
    char file[BUCKET_FILE_NAME_BYTES];
    bucket_file_name(job->bucket, file);
    if (job->error == STORE_NO_PREFIX)
        (void)snprintf(out, bytes, "no such storagePrefix: %s; the first append makes it", prefix);
    else if (job->error == STORE_SAME_DIRECTORY && !job->has_bucket && job->small[0] != '\0')
        (void)snprintf(out, bytes, "its directory is open as that of storagePrefix %s: %s/%s",
                       (const char *)job->small, root, prefix);
    else if (!job->has_bucket)
        describe_prefix(job, meaning, root, prefix, out);
    else if (job->error == STORE_EMPTY_RECORD)
        (void)snprintf(out, bytes, "the record at offset %" PRIu64 " is empty: %s/%s/%s",
                       (uint64_t)job->offset, root, prefix, file);
    else if (job->kind == JOB_APPEND || of_close)
        (void)snprintf(out, bytes, "%s%s: %s/%s/%s", what, meaning, root, prefix, file);
    else
        (void)snprintf(out, bytes, "%s: offset %" PRIu64 " of %s/%s/%s%s", meaning,
                       (uint64_t)job->offset, root, prefix, file,
                       job->error == STORE_NOT_FOUND ? NOT_FOUND_HINT : "");
    return status;
}
