#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "http/endpoints.h"
#include "http/failure.h"
#include "http/response.h"
#include "http/service.h"
#include "store/error.h"
#include "work/router.h"

#define READY_STATUS 200
#define NOT_READY_STATUS 503

void healthz_handle(struct exchange *exchange)
{
    response_text(exchange, READY_STATUS, "ok");
}

/* Where tokens are asked for not everybody may know of prefixes and paths, and everybody may ask
 * this. */
static bool tells_where(const struct exchange *exchange)
{
    return exchange->service->tokens == NULL;
}

/* False if the request was answered: a sync has failed, and what it failed for is not closed. */
static bool check_syncs(struct exchange *exchange)
{
    const struct router *router = exchange->service->router;
    char text[FAILURE_TEXT_BYTES_MAX];
    if (router_root_sync_failed(router)) {
        response_text(exchange, NOT_READY_STATUS,
                      "a sync of the root failed; restart the server when its disk is well");
        return false;
    }
    const char *prefix = router_sync_refused(router);
    if (prefix == NULL)
        return true;
    if (!tells_where(exchange)) {
        response_text(exchange, NOT_READY_STATUS, "a sync failed; the log says where");
        return false;
    }
    int length = snprintf(text, sizeof(text),
                          "a sync failed: storagePrefix %s; it takes no more appends that are to "
                          "be synced until it is closed",
                          prefix);
    printable_make(text, (size_t)length);
    response_text(exchange, NOT_READY_STATUS, "%s", text);
    return false;
}

static void answer_for_room(struct exchange *exchange, int error)
{
    const char *root = tells_where(exchange) ? exchange->service->root : "the root";
    switch (error) {
    case 0:
        response_text(exchange, READY_STATUS, "ready");
        break;
    case -ENOSPC:
        response_text(exchange, NOT_READY_STATUS, "disk full: less than %d MiB are free: %s",
                      ROOT_ROOM_BYTES / (1024 * 1024), root);
        break;
    case STORE_FEW_INODES:
        response_text(exchange, NOT_READY_STATUS, "disk full: less than %d inodes are free: %s",
                      ROOT_ROOM_INODES, root);
        break;
    default:
        response_text(exchange, NOT_READY_STATUS, "cannot look at the free space: %s: %s",
                      store_error_text(error), root);
        break;
    }
}

static void room_checked(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    struct service *service = exchange->service;
    if (job->error != JOB_TOO_MANY_IN_FLIGHT)
        service->room = job->error;
    answer_for_room(exchange, service->room);
}

void readyz_handle(struct exchange *exchange)
{
    if (exchange->service->stopping) {
        response_text(exchange, NOT_READY_STATUS, "stopping");
        return;
    }
    if (exchange->query.purpose == QUERY_FOR_GET) {
        response_text(exchange, READY_STATUS, "ready");
        return;
    }
    if (exchange->service->read_only) {
        response_text(exchange, NOT_READY_STATUS,
                      "this server only reads (-read-only); ask with for=get");
        return;
    }
    if (!check_syncs(exchange))
        return;
    exchange->job.done = room_checked;
    router_check_room(exchange->service->router, &exchange->job);
}
