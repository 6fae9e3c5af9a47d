#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "http/endpoints.h"
#include "http/failure.h"
#include "http/response.h"
#include "http/service.h"
#include "http/tally.h"
#include "store/error.h"
#include "store/record.h"
#include "work/router.h"

/* Also with something in the piece, which is sent together with what follows. */
static void next_multi_piece(struct exchange *exchange)
{
    struct job *job = &exchange->job;
    job->kept_bytes = evbuffer_get_length(job->piece);
    router_resume(exchange->service->router, job);
}

/* Takes `bytes` bytes off the end. False if there are not so many (or no memory). */
static bool cut_end(struct evbuffer *buffer, size_t bytes)
{
    size_t length = evbuffer_get_length(buffer);
    struct evbuffer *kept = bytes <= length ? evbuffer_new() : NULL;
    if (kept == NULL)
        return false;
    (void)evbuffer_remove_buffer(buffer, kept, length - bytes);
    bool moved = evbuffer_get_length(kept) == length - bytes; /* some may be copied */
    (void)evbuffer_drain(buffer, bytes);
    (void)evbuffer_add_buffer(buffer, kept);
    evbuffer_free(kept);
    return moved;
}

/* With errors=each between the length of 0 and the text: status and length of the text. */
#define ENTRY_STATUS_BYTES 4
static_assert(FAILURE_TEXT_BYTES_MAX <= UINT16_MAX, "the length of a text has 2 bytes");

static bool add_entry_status(struct evbuffer *piece, int status, size_t text_bytes)
{
    uint16_t fields[] = {htole16((uint16_t)status), htole16((uint16_t)text_bytes)};
    static_assert(sizeof(fields) == ENTRY_STATUS_BYTES, "no padding");
    return evbuffer_add(piece, fields, sizeof(fields)) == 0;
}

/*
 * In place of the value that could not be read: a length of 0, which no value has, and what went
 * wrong. If it went wrong in the middle of a value, its beginning is taken back. False if that is
 * on its way to the client already: nothing that is sent now could be told from the value. False
 * also if there is no memory for it.
 */
static bool add_error(struct exchange *exchange)
{
    static const char mark[RECORD_LENGTH_BYTES];
    char text[FAILURE_TEXT_BYTES_MAX];
    struct job *job = &exchange->job;
    bool empty_value = job->errors_each && job->error == STORE_EMPTY_RECORD;
    int status = 200;
    text[0] = '\0';
    if (!empty_value) {
        tally_job_failure(exchange);
        status = failure_describe(exchange, text);
    }
    if (job->partial_bytes > 0 && !cut_end(job->piece, job->partial_bytes))
        return false;
    return evbuffer_add(job->piece, mark, sizeof(mark)) == 0 &&
           (!job->errors_each || add_entry_status(job->piece, status, strlen(text))) &&
           evbuffer_add(job->piece, text, strlen(text)) == 0;
}

/* After an error there is room in the piece for the values that follow. */
static bool goes_on_filling(const struct job *job)
{
    return job->more && job->error != 0 && evbuffer_get_length(job->piece) < JOB_PIECE_BYTES;
}

static void abandon_rest(struct exchange *exchange)
{
    if (exchange->job.more)
        router_abandon(exchange->service->router, &exchange->job);
}

static void multi_piece_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    if (job->error != 0 && !add_error(exchange)) {
        abandon_rest(exchange);
        response_abort(exchange);
    } else if (goes_on_filling(job)) {
        next_multi_piece(exchange);
    } else if (job->more) {
        response_piece(exchange, job->piece, next_multi_piece);
    } else {
        response_last(exchange, job->piece);
    }
}

static void get_multi_done(struct job *job)
{
    struct exchange *exchange = exchange_of(job);
    if (!job->has_bucket) {
        response_failure(exchange);
        return;
    }
    if (job->piece == NULL && (job->piece = evbuffer_new()) == NULL) {
        job->error = -ENOMEM;
        abandon_rest(exchange);
        response_failure(exchange);
        return;
    }
    if (job->error != 0 && !add_error(exchange)) {
        if (job->errors_each)
            job->error = -ENOMEM; /* it is not what ended the reply */
        abandon_rest(exchange);
        response_failure(exchange);
        return;
    }
    if (goes_on_filling(job)) {
        next_multi_piece(exchange);
        return;
    }
    if (job->more) {
        job->done = multi_piece_done;
        response_begin(exchange, RESPONSE_VALUE, RESPONSE_LENGTH_UNKNOWN);
        response_piece(exchange, job->piece, next_multi_piece);
        return;
    }
    response_buffer(exchange, RESPONSE_VALUE, job->piece, evbuffer_get_length(job->piece));
}

void get_multi_handle(struct exchange *exchange)
{
    struct evbuffer *offsets = evhttp_request_get_input_buffer(exchange->request);
    size_t bytes = evbuffer_get_length(offsets);
    if (!exchange->query.has_id) {
        response_text(exchange, 400, ENDPOINTS_ID_MISSING);
    } else if (bytes % JOB_OFFSET_BYTES != 0) {
        response_text(exchange, 400,
                      "the body has %zu bytes, not a multiple of 8 (one little-endian offset each)",
                      bytes);
    } else if (bytes > GET_MULTI_BODY_BYTES_MAX) {
        response_text(exchange, 413, "%zu offsets, the limit is %d", bytes / JOB_OFFSET_BYTES,
                      GET_MULTI_BODY_BYTES_MAX / JOB_OFFSET_BYTES);
    } else {
        exchange->job.kind = JOB_READ_MULTI;
        exchange->job.offsets = offsets;
        exchange->job.errors_each = exchange->query.errors_each;
        exchange->job.done = get_multi_done;
        router_submit(exchange->service->router, exchange->query.prefix, &exchange->job);
    }
}
