#include "http/failure.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "http/service.h"
#include "http/status.h"
#include "store/error.h"
#include "store/manifest.h"
#include "store/names.h"
#include "work/router.h"

/* Of a prefix: "<root>/<name>", and of a file in it. */
#define PREFIX_PATH_BYTES (PATH_MAX + PREFIX_NAME_BYTES_MAX + 1)
#define FILE_PATH_BYTES (PREFIX_PATH_BYTES + BUCKET_FILE_NAME_BYTES)

/* What is run on a prefix whose MANIFEST is not there. If the server has a part of all ids, so may
 * the prefix, but it cannot be known which. */
#define ADOPT "stop the server and run: rochefort adopt -hash xxh3|fnv1a "
#define ADOPT_SLOTS "-slots A-B/N "

/* What to do, for the end of the line. */
static const struct {
    int error;
    const char *text;
    enum { NO_PATH, PREFIX_PATH, ADOPTED_PATH, FILE_PATH } path; /* follows the text */
} helps[] = {
    {-ENOSPC, "appends go on as soon as there is room", NO_PATH},
    {-EDQUOT, "appends go on as soon as there is room", NO_PATH},
    {-EMFILE, "restart the server with a higher limit of open files (ulimit -n)", NO_PATH},
    {-ELOOP, "put what the link leads to in its place: no link is followed", NO_PATH},
    {-ENOTDIR, "move it away, or use another storagePrefix", NO_PATH},
    {STORE_NOT_FOUND, "use an offset with the id and storagePrefix it was answered for", NO_PATH},
    {STORE_TRUNCATED, "look at the file: rochefort verify ", FILE_PATH},
    {STORE_NO_PREFIX, "the first append makes it", NO_PATH},
    {STORE_NO_MANIFEST, ADOPT, ADOPTED_PATH},
    {STORE_MANIFEST_TORN, ADOPT, ADOPTED_PATH},
    {STORE_MANIFEST_INVALID, ADOPT, ADOPTED_PATH},
    {STORE_MANIFEST_LATER, "run that version", NO_PATH},
    {STORE_FILES_MISSING, "bring them back, or stop the server and run: rochefort adopt -missing ",
     PREFIX_PATH},
    {STORE_FILES_ADDITIONAL, "move them away, or stop the server and look at it: rochefort verify ",
     PREFIX_PATH},
    {STORE_ROOT_LOST, "restart it", NO_PATH},
    {STORE_FOREIGN, "give it to the server's user, or use a root of its own", NO_PATH},
    {STORE_SAME_DIRECTORY, "use that name", NO_PATH},
    {STORE_NAME_REFUSED, "use another name", NO_PATH},
    {STORE_TOO_MANY_PREFIXES, "delete some, or restart the server with a larger -max-prefixes",
     NO_PATH},
    {STORE_PAST_END,
     "records were lost, or the prefix was made anew: begin at offset 0; Rochefort-Tail is the end",
     NO_PATH},
    {STORE_OTHER_RECORD,
     "records were lost, or the prefix was made anew: begin at offset 0; Rochefort-Tail is the end",
     NO_PATH},
    {STORE_NO_BUCKET, "/ends tells how many there are", NO_PATH},
    {STORE_OTHER_SLOT, "send it to the node that has this slot", NO_PATH},
    {STORE_FEW_INODES, "delete files there, or use fewer -buckets", NO_PATH},
};

struct paths {
    char prefix[PREFIX_PATH_BYTES], file[FILE_PATH_BYTES];
};

static void make_paths(const struct exchange *exchange, struct paths *paths)
{
    const struct job *job = &exchange->job;
    char name[BUCKET_FILE_NAME_BYTES];
    (void)snprintf(paths->prefix, sizeof(paths->prefix), "%s/%s", exchange->service->root,
                   exchange->query.prefix);
    if (job->kind == JOB_LIST) /* of the root */
        (void)snprintf(paths->prefix, sizeof(paths->prefix), "%s", exchange->service->root);
    if (!job->has_bucket && job->bucket == PREFIX_DIRECTORY) {
        memcpy(paths->file, paths->prefix, sizeof(paths->prefix));
        return;
    }
    if (!job->has_bucket && job->bucket == PREFIX_MANIFEST)
        (void)snprintf(name, sizeof(name), "%s", MANIFEST_NAME);
    else
        bucket_file_name(job->bucket, name);
    (void)snprintf(paths->file, sizeof(paths->file), "%s/%s", paths->prefix, name);
}

/* What is said instead where somebody else writes: nothing is to be done about a copy but to wait
 * for it. NULL: the same. */
static const char *help_for_reader(int error)
{
    switch (error) {
    case STORE_NOT_FOUND:
    case STORE_NO_PREFIX:
        return "this server only reads (-read-only), and it may not be here yet";
    case STORE_NO_MANIFEST:
    case STORE_MANIFEST_TORN:
    case STORE_MANIFEST_INVALID:
    case STORE_FILES_ADDITIONAL:
        return "this server only reads (-read-only): the copy may not be complete yet, or look at "
               "it where it is written";
    default:
        return NULL;
    }
}

static bool has_slots(const struct exchange *exchange)
{
    return pool_slots_if_new(router_pool(exchange->service->router))->count != 0;
}

static void add_help(const struct exchange *exchange, const struct paths *paths,
                     char out[FAILURE_TEXT_BYTES_MAX])
{
    const int error = exchange->job.error;
    size_t used = strlen(out);
    const char *help = exchange->service->read_only ? help_for_reader(error) : NULL;
    if (help != NULL) {
        (void)snprintf(out + used, FAILURE_TEXT_BYTES_MAX - used, "; %s", help);
        return;
    }
    for (size_t i = 0; i < sizeof(helps) / sizeof(helps[0]); i++) {
        if (helps[i].error != error)
            continue;
        const bool adopted = helps[i].path == ADOPTED_PATH;
        const char *path = adopted || helps[i].path == PREFIX_PATH ? paths->prefix
                           : helps[i].path == FILE_PATH            ? paths->file
                                                                   : "";
        (void)snprintf(out + used, FAILURE_TEXT_BYTES_MAX - used, "; %s%s%s", helps[i].text,
                       adopted && has_slots(exchange) ? ADOPT_SLOTS : "", path);
    }
}

static bool is_of_close(const struct job *job)
{
    return job->kind == JOB_CLOSE && job->has_bucket;
}

static int find_status(const struct job *job, const char **meaning)
{
    int status = status_of_error(job->error, meaning);
    /* whatever it was: the files are closed, and a second try would hide it */
    return is_of_close(job) ? 500 : status;
}

/* What was not done, if it is not what was asked for as a whole. */
static const char *find_step(const struct job *job)
{
    /* the record was taken out again; the status is that of what happened */
    if (job->has_bucket && (job_appends(job) || is_of_close(job)) && job->sync)
        return "could not be synced: ";
    return is_of_close(job) ? "could not be closed: " : "";
}

/* Which slot the id is in, and which are held. */
static void describe_slot(const struct exchange *exchange, const struct paths *paths,
                          char out[FAILURE_TEXT_BYTES_MAX])
{
    struct slots held;
    memcpy(&held, exchange->job.small, sizeof(held));
    (void)snprintf(
        out, FAILURE_TEXT_BYTES_MAX, "the id is in slot %u of %u, and %u-%u are here: %s",
        slots_of(&held, &exchange->job.id_hash), held.count, held.first, held.last, paths->prefix);
}

int failure_describe(const struct exchange *exchange, char out[FAILURE_TEXT_BYTES_MAX])
{
    const size_t bytes = FAILURE_TEXT_BYTES_MAX;
    const struct job *job = &exchange->job;
    const char *meaning, *what = find_step(job);
    int status = find_status(job, &meaning);
    struct paths paths;
    make_paths(exchange, &paths);
    if (job->error == STORE_NO_PREFIX)
        (void)snprintf(out, bytes, "no such storagePrefix: %s", exchange->query.prefix);
    else if (job->error == STORE_SAME_DIRECTORY && !job->has_bucket && job->small[0] != '\0')
        (void)snprintf(out, bytes, "its directory is open as that of storagePrefix %s: %s",
                       (const char *)job->small, paths.prefix);
    else if (job->error == STORE_OTHER_SLOT)
        describe_slot(exchange, &paths, out);
    else if (job->error == STORE_OTHER_END)
        (void)snprintf(out, bytes, "the end is %" PRIu64 ", not %" PRIu64 ": %s%s",
                       (uint64_t)job->offset, (uint64_t)job->expected, paths.file,
                       job->offset > job->expected ? "; read what is at the offset expected" : "");
    else if (!job->has_bucket || job_appends(job) || is_of_close(job) || job->kind == JOB_ENDS)
        (void)snprintf(out, bytes, "%s%s: %s", what, meaning, paths.file);
    else if (job->error == STORE_EMPTY_RECORD)
        (void)snprintf(out, bytes, "the record at offset %" PRIu64 " is empty: %s",
                       (uint64_t)job->offset, paths.file);
    else
        (void)snprintf(out, bytes, "%s: offset %" PRIu64 " of %s", meaning, (uint64_t)job->offset,
                       paths.file);
    if (what[0] == '\0')
        add_help(exchange, &paths, out);
    printable_make(out, strlen(out));
    return status;
}

int failure_summarize(const struct exchange *exchange, char out[FAILURE_TEXT_BYTES_MAX])
{
    const char *meaning, *what = find_step(&exchange->job);
    int status = find_status(&exchange->job, &meaning);
    struct paths paths;
    make_paths(exchange, &paths);
    (void)snprintf(out, FAILURE_TEXT_BYTES_MAX, "%d: %s%s: %s", status, what, meaning, paths.file);
    if (what[0] == '\0')
        add_help(exchange, &paths, out);
    printable_make(out, strlen(out));
    return status;
}
