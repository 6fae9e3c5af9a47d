#include "http/conditions.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "http/http_date.h"

#define NS_PER_SECOND 1000000000ULL
#define RANGE_UNIT "bytes="

static char *put_hex(char *at, uint64_t number, unsigned digits)
{
    static const char hex[] = "0123456789abcdef";
    while (digits-- > 0)
        *at++ = hex[number >> (4 * digits) & 0xf];
    return at;
}

void conditions_tag(const struct conditions_value *value, char out[CONDITIONS_TAG_BYTES])
{
    char *at = out;
    *at++ = '"';
    at = put_hex(put_hex(at, value->bytes, 8), value->time_ns, 16);
    *at++ = '"';
    *at = '\0';
}

bool conditions_any(const struct conditions *conditions)
{
    return conditions->range != NULL || conditions->if_none_match != NULL ||
           conditions->if_modified_since != NULL;
}

/* In a list of tags, weakly compared: W/"x" is "x". */
static bool names_tag(const char *list, const char *tag)
{
    const size_t bytes = strlen(tag);
    if (strcmp(list, "*") == 0)
        return true;
    while (*list != '\0') {
        list += strspn(list, " \t,");
        if (strncmp(list, "W/", 2) == 0)
            list += 2;
        if (strncmp(list, tag, bytes) == 0)
            return true;
        if (*list == '"') { /* a comma may be within the quotes */
            const char *end = strchr(list + 1, '"');
            if (end == NULL)
                return false;
            list = end + 1;
        }
        list += strcspn(list, ",");
    }
    return false;
}

static bool is_unmodified(const struct conditions *conditions, const struct conditions_value *value,
                          const char *tag)
{
    int64_t seconds;
    if (conditions->if_none_match != NULL)
        return names_tag(conditions->if_none_match, tag);
    return conditions->if_modified_since != NULL &&
           http_date_parse(conditions->if_modified_since, &seconds) &&
           (int64_t)(value->time_ns / NS_PER_SECOND) <= seconds;
}

/* Digits at `*at`, more than fit are as many as fit. False if there are none. */
static bool take_number(const char **at, uint64_t *number)
{
    const char *begin = *at;
    for (*number = 0; **at >= '0' && **at <= '9'; ++*at)
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (uint64_t)(**at - '0'), number))
            *number = UINT64_MAX;
    return *at > begin;
}

static struct conditions_verdict part(const struct conditions_value *value, uint64_t first,
                                      uint64_t last)
{
    struct conditions_verdict unsatisfiable = {.status = 416};
    if (first >= value->bytes || last < first)
        return unsatisfiable;
    if (last >= value->bytes)
        last = value->bytes - 1;
    return (struct conditions_verdict){206, (uint32_t)first, (uint32_t)(last - first + 1)};
}

/* Of one range. What is not well-formed, another unit or several ranges: the whole value. */
static struct conditions_verdict check_range(const char *range,
                                             const struct conditions_value *value)
{
    static const struct conditions_verdict whole = {.status = 200};
    uint64_t first, last = UINT64_MAX;
    if (strncasecmp(range, RANGE_UNIT, strlen(RANGE_UNIT)) != 0)
        return whole;
    const char *at = range + strlen(RANGE_UNIT);
    at += strspn(at, " \t");
    if (*at == '-') { /* the last so many bytes */
        at++;
        if (!take_number(&at, &last) || at[strspn(at, " \t")] != '\0')
            return whole;
        first = last < value->bytes ? value->bytes - last : 0;
        return last == 0 ? part(value, value->bytes, UINT64_MAX) : part(value, first, UINT64_MAX);
    }
    if (!take_number(&at, &first) || *at++ != '-')
        return whole;
    bool has_last = take_number(&at, &last);
    if (!has_last)
        last = UINT64_MAX;
    if (at[strspn(at, " \t")] != '\0' || (has_last && last < first))
        return whole;
    return part(value, first, last);
}

struct conditions_verdict conditions_check(const struct conditions *conditions,
                                           const struct conditions_value *value, bool ranges)
{
    char tag[CONDITIONS_TAG_BYTES];
    struct conditions_verdict verdict = {.status = 200};
    conditions_tag(value, tag);
    if (is_unmodified(conditions, value, tag))
        verdict.status = 304;
    else if (ranges && conditions->range != NULL &&
             (conditions->if_range == NULL || strcmp(conditions->if_range, tag) == 0))
        verdict = check_range(conditions->range, value); /* a date in If-Range never matches */
    return verdict;
}
