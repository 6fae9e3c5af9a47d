#include "http/http_date.h"

#include <string.h>
#include <time.h>

#define YEAR_BASE 1900

static char *put_two(char *at, int number)
{
    *at++ = (char)('0' + number / 10 % 10);
    *at++ = (char)('0' + number % 10);
    return at;
}

static char *put_bytes(char *at, const char *text, size_t bytes)
{
    memcpy(at, text, bytes);
    return at + bytes;
}

/* Not strftime, which is slower and writes the names of the user's language. */
void http_date_write(int64_t seconds, char out[HTTP_DATE_BYTES])
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm utc = {0};
    time_t when = (time_t)seconds;
    (void)gmtime_r(&when, &utc); /* fails for years that no int holds */
    int year = utc.tm_year + YEAR_BASE;
    char *at = put_bytes(put_bytes(out, days[utc.tm_wday], 3), ", ", 2);
    at = put_bytes(put_bytes(put_bytes(put_two(at, utc.tm_mday), " ", 1), months[utc.tm_mon], 3),
                   " ", 1);
    at = put_bytes(put_two(put_two(at, year / 100), year % 100), " ", 1);
    at = put_bytes(put_two(at, utc.tm_hour), ":", 1);
    at = put_bytes(put_two(at, utc.tm_min), ":", 1);
    at = put_bytes(put_two(at, utc.tm_sec), " GMT", 4);
    *at = '\0';
}

bool http_date_parse(const char *text, int64_t *seconds)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %d %H:%M:%S %Y"};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm utc = {0};
        const char *end = strptime(text, forms[i], &utc);
        if (end == NULL || *end != '\0')
            continue;
        *seconds = timegm(&utc);
        return true;
    }
    return false;
}
