#include "http/query.h"

#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "net/head.h"

/* A query is part of a head, so nothing in it is longer than that. */
#define DECODED_BYTES_MAX HEAD_BYTES_MAX

#define WHOLE_NUMBER "a whole number from 0 to 9223372036854775807"

enum parameter {
    ID,
    OFFSET,
    STORAGE_PREFIX,
    SYNC,
    EXPECT,
    FOR,
    BUCKET,
    LIMIT,
    WAIT,
    SYNCED,
    LAST,
    AFTER,
    ERRORS,
    PARAMETERS
};

static const struct {
    const char *name, *twice, *misspelled;
} parameters[PARAMETERS] = {
    [ID] = {"id", "id given twice", "the parameter is spelled id"},
    [OFFSET] = {"offset", "offset given twice", "the parameter is spelled offset"},
    [STORAGE_PREFIX] = {"storagePrefix", "storagePrefix given twice",
                        "the parameter is spelled storagePrefix"},
    [SYNC] = {"sync", "sync given twice", "the parameter is spelled sync"},
    [EXPECT] = {"expect", "expect given twice", "the parameter is spelled expect"},
    [FOR] = {"for", "for given twice", "the parameter is spelled for"},
    [BUCKET] = {"bucket", "bucket given twice", "the parameter is spelled bucket"},
    [LIMIT] = {"limit", "limit given twice", "the parameter is spelled limit"},
    [WAIT] = {"wait", "wait given twice", "the parameter is spelled wait"},
    [SYNCED] = {"synced", "synced given twice", "the parameter is spelled synced"},
    [LAST] = {"last", "last given twice", "the parameter is spelled last"},
    [AFTER] = {"after", "after given twice", "the parameter is spelled after"},
    [ERRORS] = {"errors", "errors given twice", "the parameter is spelled errors"},
};

struct decoded {
    size_t bytes;
    char text[DECODED_BYTES_MAX];
};

/* Decodes [at, end). NULL if all is well. */
static const char *decode(const char *at, const char *end, struct decoded *out)
{
    for (out->bytes = 0; at < end; at++) {
        if (out->bytes == DECODED_BYTES_MAX)
            return "parameter too long";
        char c = *at;
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = end - at > 2 ? hex_digit_value(at[1]) : -1;
            int low = end - at > 2 ? hex_digit_value(at[2]) : -1;
            if (high < 0 || low < 0)
                return "bad % escape in the query";
            c = (char)(high * 16 + low);
            if (c == '\0')
                return "%00 in the query";
            at += 2;
        }
        out->text[out->bytes++] = c;
    }
    return NULL;
}

/* Decimal digits, up to INT64_MAX. */
static bool take_number(const struct decoded *value, int64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < value->bytes; i++) {
        if (value->text[i] < '0' || value->text[i] > '9' ||
            __builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, value->text[i] - '0', number))
            return false;
    }
    return value->bytes > 0;
}

static void set_default_prefix(char prefix[PREFIX_NAME_BYTES_MAX + 1])
{
    memcpy(prefix, QUERY_DEFAULT_PREFIX, sizeof(QUERY_DEFAULT_PREFIX));
}

static const char *take_prefix(const struct decoded *value, char prefix[PREFIX_NAME_BYTES_MAX + 1])
{
    if (value->bytes == 0)
        return NULL; /* the default prefix */
    if (!prefix_name_valid(value->text, value->bytes))
        return "storagePrefix must be 1 to 255 bytes, without / and control characters, not "
               "starting with a dot";
    memcpy(prefix, value->text, value->bytes);
    prefix[value->bytes] = '\0';
    return NULL;
}

static bool take_switch(const struct decoded *value, bool *on)
{
    *on = value->bytes == 1 && value->text[0] == '1';
    return *on || (value->bytes == 1 && value->text[0] == '0');
}

static const char *take_after(const struct decoded *value, struct query *query)
{
    if (value->bytes == 0)
        return NULL; /* from the first on */
    if (!prefix_name_valid(value->text, value->bytes))
        return "after must be the name of a storagePrefix";
    memcpy(query->after, value->text, value->bytes);
    query->after[value->bytes] = '\0';
    return NULL;
}

static const char *take_bucket(const struct decoded *value, struct query *query)
{
    int64_t number;
    query->has_bucket = take_number(value, &number) && number < PREFIX_BUCKETS_MAX;
    if (!query->has_bucket)
        return "bucket must be a whole number from 0 to 65535";
    query->bucket = (unsigned)number;
    return NULL;
}

static const char *take_wait(const struct decoded *value, struct query *query)
{
    int64_t number;
    if (!take_number(value, &number) || number > QUERY_WAIT_SECONDS_MAX)
        return "wait must be a whole number of seconds from 0 to 60";
    query->wait_s = (unsigned)number;
    return NULL;
}

/* "OFFSET:HEADER", with 32 hexadecimal digits. */
static const char *take_last(const struct decoded *value, struct query *query)
{
    static const char *const bad =
        "last must be OFFSET:HEADER, the header as 32 hexadecimal digits";
    const size_t digits = 2 * RECORD_HEADER_BYTES;
    struct decoded offset;
    if (value->bytes < digits + 1 || value->text[value->bytes - digits - 1] != ':')
        return bad;
    offset.bytes = value->bytes - digits - 1;
    memcpy(offset.text, value->text, offset.bytes);
    if (!take_number(&offset, &query->last.offset))
        return bad;
    const char *hex = value->text + offset.bytes + 1;
    for (size_t i = 0; i < RECORD_HEADER_BYTES; i++) {
        int high = hex_digit_value(hex[2 * i]), low = hex_digit_value(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return bad;
        query->last.header[i] = (uint8_t)(high * 16 + low);
    }
    query->has_last = true;
    return NULL;
}

static bool decoded_is(const struct decoded *value, const char *text)
{
    return value->bytes == strlen(text) && memcmp(value->text, text, value->bytes) == 0;
}

static const char *take_purpose(const struct decoded *value, struct query *query)
{
    query->purpose = decoded_is(value, "get") ? QUERY_FOR_GET : QUERY_FOR_APPEND;
    if (query->purpose == QUERY_FOR_GET || decoded_is(value, "append"))
        return NULL;
    return "for must be append or get";
}

static const char *take(enum parameter parameter, const struct decoded *value, struct query *query)
{
    switch (parameter) {
    case ID:
        query->has_id = value->bytes > 0;
        query->id_hash = id_hash_of(value->text, value->bytes);
        return NULL;
    case OFFSET:
        query->has_offset = take_number(value, &query->offset);
        return query->has_offset ? NULL : "offset must be " WHOLE_NUMBER;
    case STORAGE_PREFIX:
        return take_prefix(value, query->prefix);
    case SYNC:
        return take_switch(value, &query->sync) ? NULL : "sync must be 0 or 1";
    case EXPECT:
        query->expects = take_number(value, &query->expected);
        return query->expects ? NULL : "expect must be " WHOLE_NUMBER;
    case FOR:
        return take_purpose(value, query);
    case BUCKET:
        return take_bucket(value, query);
    case LIMIT:
        return take_number(value, &query->limit) && query->limit > 0
                   ? NULL
                   : "limit must be a whole number from 1";
    case WAIT:
        return take_wait(value, query);
    case SYNCED:
        return take_switch(value, &query->synced) ? NULL : "synced must be 0 or 1";
    case LAST:
        return take_last(value, query);
    case AFTER:
        return take_after(value, query);
    case ERRORS:
        query->errors_each = decoded_is(value, "each");
        return query->errors_each ? NULL : "errors must be each";
    case PARAMETERS:
        break;
    }
    return NULL;
}

/* PARAMETERS if there is none of that name. */
static enum parameter find_parameter(const struct decoded *key,
                                     int (*compare)(const char *, const char *, size_t))
{
    unsigned i = 0;
    while (i < PARAMETERS && (strlen(parameters[i].name) != key->bytes ||
                              compare(parameters[i].name, key->text, key->bytes) != 0))
        i++;
    return (enum parameter)i;
}

/* Others are ignored, but not one that differs only in case: its sender means ours. */
static const char *check_spelling(const struct decoded *key)
{
    enum parameter parameter = find_parameter(key, strncasecmp);
    return parameter == PARAMETERS ? NULL : parameters[parameter].misspelled;
}

const char *query_parse(const char *text, struct query *query)
{
    struct decoded decoded;
    bool seen[PARAMETERS] = {false};
    query->has_id = query->has_offset = query->sync = query->expects = false;
    query->id_hash = (struct id_hash){0};
    query->offset = query->expected = 0;
    query->purpose = QUERY_FOR_APPEND;
    query->has_bucket = query->has_last = query->synced = query->errors_each = false;
    query->limit = query->wait_s = 0;
    query->after[0] = '\0';
    set_default_prefix(query->prefix);
    while (text != NULL && *text != '\0') {
        const char *end = strchrnul(text, '&');
        const char *equals = memchr(text, '=', (size_t)(end - text));
        const char *wrong = decode(text, equals != NULL ? equals : end, &decoded);
        if (wrong != NULL)
            return wrong;
        enum parameter parameter = find_parameter(&decoded, strncmp);
        if (parameter == PARAMETERS && (wrong = check_spelling(&decoded)) != NULL)
            return wrong;
        wrong = decode(equals != NULL ? equals + 1 : end, end, &decoded);
        if (wrong == NULL && parameter != PARAMETERS) {
            wrong =
                seen[parameter] ? parameters[parameter].twice : take(parameter, &decoded, query);
            seen[parameter] = true;
        }
        if (wrong != NULL)
            return wrong;
        text = *end == '&' ? end + 1 : end;
    }
    return NULL;
}

const char *query_decode_prefix(const char *text, size_t bytes,
                                char prefix[PREFIX_NAME_BYTES_MAX + 1])
{
    struct decoded decoded;
    const char *wrong = decode(text, text + bytes, &decoded);
    set_default_prefix(prefix);
    return wrong != NULL ? wrong : take_prefix(&decoded, prefix);
}
