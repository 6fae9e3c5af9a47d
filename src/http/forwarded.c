#include "http/forwarded.h"

#include <string.h>

#include "net/trusted_proxies.h"

static const char *const handled[] = {
    "Origin",   "Sec-Fetch-Site", "Sec-Fetch-Mode",    "Range",
    "If-Range", "If-None-Match",  "If-Modified-Since", "Content-Type"};

#define HANDLED (sizeof(handled) / sizeof(handled[0]))

_Static_assert(HANDLED + 3 < FORWARDED_MAX, "all names fit, with the NULL");

void forwarded_set(const char *names[FORWARDED_MAX], bool logged, bool proxies)
{
    size_t count = HANDLED;
    memcpy(names, handled, sizeof(handled));
    if (logged) {
        names[count++] = "Referer";
        names[count++] = "User-Agent";
    }
    if (logged && proxies)
        names[count++] = TRUSTED_PROXIES_HEADER;
    names[count] = NULL;
}
