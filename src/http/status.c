#include "http/status.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {417, "Expectation Failed"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {507, "Insufficient Storage"},
};

static const struct {
    int error, status;
    const char *meaning; /* NULL: strerror's words */
} errors[] = {
    {EBUSY, 503, "too many requests in flight"},
    {ENOMEM, 503, "out of memory"},
    {ENOSPC, 507, "disk full"},
    {EDQUOT, 507, "disk quota used up"},
    {ENOENT, 404, "no record starts there"},
    {ENODATA, 500, "the record is cut short"},
    {EBADFD, 500,
     "the file takes no appends until its prefix is closed or the server restarts: a failed one "
     "could not be cut off"},
    {ESTALE, 500, "the file was changed behind the server's back; close its prefix to go on"},
    {ENOTRECOVERABLE, 500,
     "an earlier sync of this file failed; until its prefix is closed or the server restarts it "
     "takes no more appends that are to be synced"},
    {EMEDIUMTYPE, 500, "not a regular file"},
    {ELOOP, 500, "a symbolic link is in the way"},
    {EUCLEAN, 500, "bucket files are missing, or more than were made"},
};

const char *status_reason(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

int status_of_error(int error, const char **meaning)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i].error == -error) {
            *meaning = errors[i].meaning;
            return errors[i].status;
        }
    }
    *meaning = strerror(-error);
    return 500;
}
