#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/access_log.h"
#include "http/endpoints.h"
#include "http/exposition.h"
#include "http/response.h"
#include "http/service.h"
#include "http/status.h"
#include "net/connections.h"
#include "store/root.h"
#include "work/router.h"

#define TYPE_PROMETHEUS "text/plain; version=0.0.4"
#define NUMBER_BYTES 32
#define NS_PER_SECOND 1e9
#define COUNTER "counter"
#define GAUGE "gauge"
#define HISTOGRAM "histogram"

static const char *endpoint_label(unsigned endpoint)
{
    const char *label = endpoints_label(endpoint);
    return label != NULL ? label : "other";
}

static uint64_t responses(const struct metrics_endpoint *endpoint)
{
    uint64_t count = 0;
    for (unsigned i = 0; i <= DURATIONS_BOUNDS; i++)
        count += endpoint->up_to[i];
    return count;
}

static void write_requests(struct exposition *out, const struct metrics *metrics)
{
    char code[NUMBER_BYTES];
    exposition_family(out, "rochefort_http_requests_total", COUNTER, "Requests that were answered.",
                      true);
    for (unsigned i = 0; i < METRICS_ENDPOINTS; i++) {
        for (unsigned index = 0; index < STATUS_INDEXES; index++) {
            if (metrics->endpoints[i].codes[index] == 0)
                continue;
            (void)snprintf(code, sizeof(code), "%d", status_at(index));
            exposition_sample(
                out, (struct exposition_label[]){{"endpoint", endpoint_label(i)}, {"code", code}},
                (double)metrics->endpoints[i].codes[index]);
        }
    }
}

static void write_buckets(struct exposition *out, const uint64_t up_to[DURATIONS_BOUNDS + 1],
                          const char *endpoint)
{
    char bound[NUMBER_BYTES];
    uint64_t count = 0;
    for (unsigned i = 0; i <= DURATIONS_BOUNDS; i++) {
        struct exposition_label le = {"le", i < DURATIONS_BOUNDS ? bound : "+Inf"};
        if (i < DURATIONS_BOUNDS)
            (void)snprintf(bound, sizeof(bound), "%g",
                           (double)durations_bounds_ns[i] / NS_PER_SECOND);
        count += up_to[i];
        if (endpoint != NULL)
            exposition_sample(out, (struct exposition_label[]){{"endpoint", endpoint}, le},
                              (double)count);
        else
            exposition_sample(out, (struct exposition_label[]){le, {NULL, NULL}}, (double)count);
    }
}

static void write_durations(struct exposition *out, const struct metrics *metrics)
{
    struct exposition_label labels[] = {{"endpoint", NULL}, {NULL, NULL}};
    exposition_family(out, "rochefort_http_request_duration_seconds", HISTOGRAM,
                      "From a whole request to its whole response.", true);
    exposition_suffix(out, "_bucket");
    for (unsigned i = 0; i < METRICS_ENDPOINTS; i++)
        if (responses(&metrics->endpoints[i]) > 0)
            write_buckets(out, metrics->endpoints[i].up_to, endpoint_label(i));
    exposition_suffix(out, "_sum");
    for (unsigned i = 0; i < METRICS_ENDPOINTS; i++) {
        labels[0].value = endpoint_label(i);
        if (responses(&metrics->endpoints[i]) > 0)
            exposition_sample(out, labels, (double)metrics->endpoints[i].took_ns / NS_PER_SECOND);
    }
    exposition_suffix(out, "_count");
    for (unsigned i = 0; i < METRICS_ENDPOINTS; i++) {
        labels[0].value = endpoint_label(i);
        if (responses(&metrics->endpoints[i]) > 0)
            exposition_sample(out, labels, (double)responses(&metrics->endpoints[i]));
    }
}

static void write_syncs(struct exposition *out, const struct pool *pool)
{
    uint64_t up_to[DURATIONS_BOUNDS + 1] = {0}, took_ns = 0, count = 0;
    for (unsigned i = 0; i < pool_workers(pool); i++) {
        const struct worker_counts *counts = pool_counts(pool, i);
        for (unsigned bound = 0; bound <= DURATIONS_BOUNDS; bound++)
            up_to[bound] += worker_count_read(&counts->syncs_up_to[bound]);
        took_ns += worker_count_read(&counts->sync_ns);
    }
    for (unsigned bound = 0; bound <= DURATIONS_BOUNDS; bound++)
        count += up_to[bound];
    exposition_family(out, "rochefort_sync_duration_seconds", HISTOGRAM, "Syncs of data files.",
                      true);
    exposition_suffix(out, "_bucket");
    write_buckets(out, up_to, NULL);
    exposition_plain_suffix(out, "_sum");
    exposition_sample(out, NULL, (double)took_ns / NS_PER_SECOND);
    exposition_plain_suffix(out, "_count");
    exposition_sample(out, NULL, (double)count);
}

static void write_one(struct exposition *out, const char *name, const char *type, const char *help,
                      double value)
{
    exposition_family(out, name, type, help, false);
    exposition_sample(out, NULL, value);
}

static void write_workers(struct exposition *out, const struct router *router)
{
    const struct pool *pool = router_pool(router);
    uint64_t records = 0, bytes = 0, read = 0, failed = 0;
    char number[NUMBER_BYTES];
    const struct exposition_label labels[2] = {{"worker", number}, {NULL, NULL}};
    exposition_family(out, "rochefort_writes_total", COUNTER,
                      "Writes to data files, each of one or more records.", true);
    for (unsigned i = 0; i < pool_workers(pool); i++) {
        const struct worker_counts *counts = pool_counts(pool, i);
        records += worker_count_read(&counts->appended_records);
        bytes += worker_count_read(&counts->appended_bytes);
        read += worker_count_read(&counts->read_bytes);
        failed += worker_count_read(&counts->syncs_failed);
        (void)snprintf(number, sizeof(number), "%u", i);
        exposition_sample(out, labels, (double)worker_count_read(&counts->writes));
    }
    exposition_family(out, "rochefort_worker_jobs_in_flight", GAUGE, "Requests that a worker has.",
                      true);
    for (unsigned i = 0; i < pool_workers(pool); i++) {
        (void)snprintf(number, sizeof(number), "%u", i);
        exposition_sample(out, labels, pool_in_flight(pool, i));
    }
    write_one(out, "rochefort_appended_records_total", COUNTER, "Records that were written.",
              (double)records);
    write_one(out, "rochefort_append_bytes_total", COUNTER, "Bytes of values that were written.",
              (double)bytes);
    write_one(out, "rochefort_read_bytes_total", COUNTER, "Bytes that were read for replies.",
              (double)read);
    write_one(out, "rochefort_sync_failures_total", COUNTER, "Syncs of data files that failed.",
              (double)failed);
}

static void write_room(struct exposition *out, const struct job *job)
{
    struct root_room room;
    if (job->small_bytes != sizeof(room))
        return; /* it is not known */
    memcpy(&room, job->small, sizeof(room));
    write_one(out, "rochefort_root_free_bytes", GAUGE, "Free on the file system of the root.",
              (double)room.free_bytes);
    write_one(out, "rochefort_root_size_bytes", GAUGE, "Size of the file system of the root.",
              (double)room.size_bytes);
}

static void write_all(struct exposition *out, const struct exchange *exchange)
{
    const struct service *service = exchange->service;
    exposition_family(out, "rochefort_build_info", GAUGE, "The version of the server.", true);
    exposition_sample(out,
                      (struct exposition_label[]){{"version", ROCHEFORT_VERSION}, {NULL, NULL}}, 1);
    write_one(out, "process_start_time_seconds", GAUGE, "When the server started, since 1970.",
              (double)service->metrics.started_ns / NS_PER_SECOND);
    write_requests(out, &service->metrics);
    write_durations(out, &service->metrics);
    write_workers(out, service->router);
    write_syncs(out, router_pool(service->router));
    write_one(out, "rochefort_connections", GAUGE, "Clients that are connected.",
              service->metrics.connections);
    write_one(out, "rochefort_scans_waiting", GAUGE, "Scans that wait for more to be appended.",
              service->waiting);
    write_one(out, "rochefort_connections_accepted_total", COUNTER, "Clients that were accepted.",
              (double)service->metrics.accepted);
    write_one(out, "rochefort_buffered_bytes", GAUGE, "Memory reserved for requests and replies.",
              (double)connections_reserved_bytes(service->connections));
    write_one(out, "rochefort_buffered_limit_bytes", GAUGE, "Most that may be reserved.",
              (double)service->buffered_bytes_max);
    write_one(out, "rochefort_open_prefixes", GAUGE, "Storage prefixes that are open.",
              router_open_prefixes(service->router));
    write_one(out, "rochefort_log_lines_dropped_total", COUNTER,
              "Lines of the log that were not written.", (double)log_dropped());
    write_one(out, "rochefort_access_log_lines_dropped_total", COUNTER,
              "Lines of the access log that were not written.",
              (double)access_log_dropped(service->access_log));
    write_room(out, &exchange->job);
}

static void answer(struct exchange *exchange, bool json)
{
    struct exposition out = {.out = evbuffer_new(), .json = json};
    if (out.out == NULL) {
        response_text(exchange, 503, "out of memory");
        return;
    }
    write_all(&out, exchange);
    exposition_end(&out);
    if (out.out_of_memory)
        response_text(exchange, 503, "out of memory");
    else
        response_buffer(exchange, json ? RESPONSE_JSON : TYPE_PROMETHEUS, out.out,
                        evbuffer_get_length(out.out));
    evbuffer_free(out.out);
}

static void metrics_done(struct job *job)
{
    answer(exchange_of(job), false);
}

static void stats_done(struct job *job)
{
    answer(exchange_of(job), true);
}

void metrics_handle(struct exchange *exchange)
{
    exchange->job.done = metrics_done;
    router_check_room(exchange->service->router, &exchange->job);
}

void stats_handle(struct exchange *exchange)
{
    exchange->job.done = stats_done;
    router_check_room(exchange->service->router, &exchange->job);
}
