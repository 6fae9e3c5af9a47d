#include "http/tally.h"

#include <event2/http.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/access_log.h"
#include "http/failure.h"
#include "http/service.h"
#include "store/error.h"

#define NS_PER_MS 1e6
/* From here on it is the server that has failed. */
#define FAILURE_STATUS_MIN 500

void tally_response(struct service *service, unsigned endpoint, int status, uint64_t took_ns,
                    const char *what)
{
    metrics_count_response(&service->metrics, endpoint, status, took_ns);
    if (service->log_slower_ms >= 0 &&
        took_ns / CLOCK_NS_PER_MS >= (uint64_t)service->log_slower_ms)
        log_line("%.3f ms %d %s", (double)took_ns / NS_PER_MS, status, what);
}

void tally_exchange(const struct exchange *exchange, int status)
{
    struct service *service = exchange->service;
    uint64_t took_ns = service_now_ns(service) - exchange->begun_ns;
    tally_response(service, exchange->endpoint, status, took_ns,
                   evhttp_request_get_uri(exchange->request));
    if (service->access_log != NULL)
        access_log_exchange(service->access_log, exchange, status, took_ns);
}

void tally_failure(struct service *service, int status, const char *why)
{
    char text[FAILURE_TEXT_BYTES_MAX];
    if (status < FAILURE_STATUS_MIN)
        return;
    (void)snprintf(text, sizeof(text), "%d: %s", status, why);
    event_log_note(&service->failures, text);
}

void tally_job_failure(const struct exchange *exchange)
{
    char text[FAILURE_TEXT_BYTES_MAX];
    struct service *service = exchange->service;
    if (exchange->job.error == JOB_TOO_MANY_IN_FLIGHT)
        event_log_note(&service->limits,
                       "-max-in-flight is reached: requests are refused with 503");
    else if (failure_summarize(exchange, text) >= FAILURE_STATUS_MIN ||
             exchange->job.error == STORE_OTHER_SLOT)
        event_log_note(&service->failures, text);
}
