#include "http/event_loop.h"

#include <event2/event.h>
#include <stddef.h>

#include "base/log.h"

static void on_libevent_log(int severity, const char *message)
{
    if (severity >= EVENT_LOG_WARN)
        log_line("libevent: %s", message);
    if (severity >= EVENT_LOG_ERR)
        log_flush(); /* libevent ends the process after it */
}

struct event_base *event_loop_new(void)
{
    event_set_log_callback(on_libevent_log);
    struct event_config *config = event_config_new();
    if (config == NULL)
        return NULL;
    /* Only this thread touches the base. No change list: it would take a socket out of epoll one
     * iteration after it was closed, when a worker's file may have its number. */
    struct event_base *base = NULL;
    if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0 &&
        event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}
