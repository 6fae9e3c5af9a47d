/*
 * origin: whether a request may come from where it comes from.
 *
 * Any web page can make a browser send requests to a server on the same machine
 * or behind the same firewall: a form that posts text/plain, an image whose
 * address is /close. Browsers say so in Origin and Sec-Fetch-Site. A request that
 * comes from the page of another origin is refused unless the user allows that
 * origin. A name that a foreign name server points at our address (DNS
 * rebinding) is refused if the user lists the hosts that are ours.
 *
 * Pure function; any thread.
 */
#ifndef ROCHEFORT_HTTP_ORIGIN_H
#define ROCHEFORT_HTTP_ORIGIN_H

/* Lists of names with commas between; "any" for all, "none" for no name. */
struct origin_rules {
    const char *origins; /* such as "https://example.org,http://localhost:3000" */
    const char *hosts;   /* names without a port */
};

/* Values of header lines; NULL if there is none. */
struct origin_request {
    const char *host, *origin, *fetch_site, *fetch_mode;
    const char *target; /* the path, and maybe a query */
};

enum origin_verdict {
    ORIGIN_OWN,         /* no foreign page is involved */
    ORIGIN_ALLOWED,     /* a foreign page that is allowed: its browser must be told so */
    ORIGIN_FOREIGN,     /* refused */
    ORIGIN_UNKNOWN_HOST /* refused */
};

enum origin_verdict origin_check(const struct origin_rules *rules,
                                 const struct origin_request *request);

#endif
