#include "http/status.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "store/error.h"
#include "work/job.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {204, "No Content"},
    {206, "Partial Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {507, "Insufficient Storage"},
};

/* All other errors are a 500 in the words of store_error_text. */
static const struct {
    int error, status;
    const char *meaning; /* NULL: those words */
} errors[] = {
    {JOB_TOO_MANY_IN_FLIGHT, 503, "too many requests in flight"},
    {-ENOMEM, 503, "out of memory"},
    {-ENOSPC, 507, "disk full"},
    {-EDQUOT, 507, "disk quota used up"},
    {STORE_NAME_REFUSED, 400, NULL},
    {STORE_TOO_MANY_PREFIXES, 507, NULL},
    {STORE_FEW_INODES, 507, NULL},
    {-ELOOP, 500, "a symbolic link is in the way"},
    {STORE_NOT_FOUND, 404, NULL},
    {STORE_NO_PREFIX, 404, NULL},
    {STORE_ROOT_READ_ONLY, 403, NULL},
    {STORE_OTHER_END, 412, NULL},
    {STORE_PAST_END, 416, NULL},
    {STORE_OTHER_RECORD, 409, NULL},
    {STORE_NO_BUCKET, 404, NULL},
    {STORE_OTHER_SLOT, 421, NULL},
};

#define REASONS (sizeof(reasons) / sizeof(reasons[0]))
static_assert(REASONS + 1 == STATUS_INDEXES, "and one for any other");

unsigned status_index(int status)
{
    unsigned index = 0;
    while (index < REASONS && reasons[index].status != status)
        index++;
    return index;
}

int status_at(unsigned index)
{
    return index < REASONS ? reasons[index].status : 0;
}

const char *status_reason(int status)
{
    unsigned index = status_index(status);
    return index < REASONS ? reasons[index].reason : "Unknown";
}

int status_of_error(int error, const char **meaning)
{
    int status = 500;
    *meaning = NULL;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i].error == error) {
            status = errors[i].status;
            *meaning = errors[i].meaning;
        }
    }
    if (*meaning == NULL)
        *meaning = store_error_text(error);
    return status;
}
