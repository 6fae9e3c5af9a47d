#include "http/listening.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "http/server_options.h"
#include "net/listener.h"

static int listen_on(struct listener *listener, const struct address_list *list, mode_t mode,
                     struct evhttp *http)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *bind = list->addresses[i];
        int error = listener_add(listener, bind, mode, http);
        if (error != 0) {
            log_line("cannot listen on %s: %s", bind, listener_error_text(bind, error));
            return error;
        }
    }
    return 0;
}

int listening_start(struct event_base *base, const struct server_options *options,
                    struct evhttp *http, struct evhttp *admin_http, struct listener **out)
{
    struct listener *listener = listener_new(base);
    *out = listener;
    if (listener == NULL) {
        log_line("cannot listen: %s", strerror(ENOMEM));
        return -ENOMEM;
    }
    int error = 0;
    for (size_t i = 0; i < options->inherited_count && error == 0; i++) {
        error = listener_adopt(listener, options->inherited[i], http);
        if (error != 0)
            log_line("cannot listen on an inherited socket: %s", strerror(-error));
    }
    if (error == 0)
        error = listen_on(listener, &options->bind, options->socket_mode, http);
    return error != 0 ? error
                      : listen_on(listener, &options->admin_bind, options->socket_mode, admin_http);
}

void listening_log(const struct listener *listener, const struct server_options *options,
                   bool has_tokens)
{
    const char *name;
    for (size_t i = 0; (name = listener_name(listener, i)) != NULL; i++) {
        bool admin = i >= options->inherited_count + options->bind.count;
        log_line(admin ? "figures and page are on %s" : "starting http server on %s", name);
        if (!has_tokens && !listener_is_local(listener, i))
            log_line("without -tokens everybody who reaches %s may %s", name,
                     admin ? "see the figures" : "read and write everything");
    }
}
