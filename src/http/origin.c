#include "http/origin.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool in_list(const char *list, const char *name, size_t bytes)
{
    if (strcmp(list, "any") == 0)
        return true;
    for (const char *end; *list != '\0'; list = *end == ',' ? end + 1 : end) {
        end = strchrnul(list, ',');
        if ((size_t)(end - list) == bytes && strncasecmp(list, name, bytes) == 0)
            return true;
    }
    return false;
}

/* The length of a host without its port: "name:80", "[::1]:80". */
static size_t name_bytes(const char *host)
{
    const char *from = host[0] == '[' ? strchrnul(host, ']') : host;
    return (size_t)(strchrnul(from, ':') - host);
}

/* The page is served under the very name that the request is sent to. */
static bool is_own(const char *origin, const char *host)
{
    const char *slashes = strstr(origin, "://");
    return slashes != NULL && host != NULL && strcasecmp(slashes + strlen("://"), host) == 0;
}

/* Of another site, or of another host of this one. */
static bool is_foreign_site(const char *fetch_site)
{
    return fetch_site != NULL &&
           (strcasecmp(fetch_site, "cross-site") == 0 || strcasecmp(fetch_site, "same-site") == 0);
}

/* A link to the page for people, wherever it stands. */
static bool is_visit(const struct origin_request *request)
{
    const char *target = request->target;
    return target[0] == '/' && (target[1] == '\0' || target[1] == '?') &&
           request->fetch_mode != NULL && strcasecmp(request->fetch_mode, "navigate") == 0;
}

enum origin_verdict origin_check(const struct origin_rules *rules,
                                 const struct origin_request *request)
{
    const char *host = request->host != NULL ? request->host : "";
    if (!in_list(rules->hosts, host, name_bytes(host)))
        return ORIGIN_UNKNOWN_HOST;
    if (request->origin != NULL && !is_own(request->origin, request->host))
        return in_list(rules->origins, request->origin, strlen(request->origin)) ? ORIGIN_ALLOWED
                                                                                 : ORIGIN_FOREIGN;
    if (request->origin == NULL && is_foreign_site(request->fetch_site) && !is_visit(request))
        return strcmp(rules->origins, "any") == 0 ? ORIGIN_OWN : ORIGIN_FOREIGN;
    return ORIGIN_OWN;
}
