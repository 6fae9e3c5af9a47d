#include "http/append_request.h"

#include <event2/http.h>
#include <string.h>
#include <strings.h>

#include "http/endpoints.h"
#include "http/response.h"

/* What `curl -F` sends: the value with lines around it, which would be stored too. */
static bool is_form(const struct exchange *exchange)
{
    static const char form[] = "multipart/form-data";
    const char *type =
        evhttp_find_header(evhttp_request_get_input_headers(exchange->request), "Content-Type");
    return type != NULL && strncasecmp(type, form, strlen(form)) == 0;
}

bool append_request_begin(struct exchange *exchange)
{
    if (!exchange->query.has_id) {
        response_text(exchange, 400, ENDPOINTS_ID_MISSING);
        return false;
    }
    if (is_form(exchange)) {
        response_text(exchange, 415,
                      "a form would be stored with its boundaries; send the value "
                      "itself, as with --data-binary @FILE");
        return false;
    }
    exchange->job.value = evhttp_request_get_input_buffer(exchange->request);
    exchange->job.sync = exchange->query.sync;
    exchange->job.expects = exchange->query.expects;
    exchange->job.expected = exchange->query.expected;
    return true;
}
