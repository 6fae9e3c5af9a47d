#include "net/head.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* 19 digits always fit into 64 bits; no body comes near. */
#define LENGTH_DIGITS_MAX 18

struct parse {
    struct head *head;
    const char *const *forwarded; /* names of the header lines to keep */
    bool length_seen, encoding_seen, host_seen, expect_seen;
};

static bool refuse_head(struct parse *parse, int status, const char *why)
{
    parse->head->refused = status;
    parse->head->why = why;
    return false;
}

static bool same(struct head_span span, const char *text)
{
    return span.bytes == strlen(text) && strncasecmp(span.at, text, span.bytes) == 0;
}

static bool same_case(struct head_span span, const char *text)
{
    return span.bytes == strlen(text) && memcmp(span.at, text, span.bytes) == 0;
}

static bool any_of(struct head_span span, const char *const texts[])
{
    for (; *texts != NULL; texts++)
        if (same_case(span, *texts))
            return true;
    return false;
}

/* RFC 9110: what a method or a header's name may consist of. */
static bool is_token_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct head_span span)
{
    for (size_t i = 0; i < span.bytes; i++)
        if (!is_token_char((unsigned char)span.at[i]))
            return false;
    return span.bytes > 0;
}

static struct head_span trim(struct head_span span)
{
    while (span.bytes > 0 && (span.at[0] == ' ' || span.at[0] == '\t')) {
        span.at++;
        span.bytes--;
    }
    while (span.bytes > 0 && (span.at[span.bytes - 1] == ' ' || span.at[span.bytes - 1] == '\t'))
        span.bytes--;
    return span;
}

/* Cuts `line` at the first `delimiter`. False if there is none. */
static bool cut(struct head_span *line, char delimiter, struct head_span *before)
{
    const char *at = memchr(line->at, delimiter, line->bytes);
    if (at == NULL)
        return false;
    *before = (struct head_span){line->at, (size_t)(at - line->at)};
    line->bytes -= before->bytes + 1;
    line->at = at + 1;
    return true;
}

static bool parse_method(struct parse *parse, struct head_span method)
{
    static const char *const with_body[] = {"POST", "PUT", "PATCH", "DELETE", NULL};
    static const char *const without_body[] = {"GET", "HEAD", "OPTIONS", NULL};
    if (!is_token(method))
        return refuse_head(parse, 400, "bad request line");
    parse->head->method = method;
    parse->head->body_allowed = any_of(method, with_body);
    /* evhttp knows TRACE and CONNECT too, and does odd things with them */
    if (!parse->head->body_allowed && !any_of(method, without_body))
        return refuse_head(parse, 405, "method not known");
    return true;
}

/* RFC 9110: a name, an address or nothing, and maybe a port. Whoever reads more into it, such as a
 * path or a user, sees another host than we do. */
static bool is_authority(struct head_span span)
{
    for (size_t i = 0; i < span.bytes; i++) {
        unsigned char c = (unsigned char)span.at[i];
        if (c <= ' ' || c > 0x7e || strchr("\"#/<>?@\\^`{|}", c) != NULL)
            return false;
    }
    return true;
}

/* Of "http://host/path" the host counts, and a Host line does not (RFC 9112, 3.2.2). */
static bool parse_absolute_form(struct parse *parse, struct head_span *target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t bytes = strlen(schemes[i]);
        if (target->bytes < bytes || strncasecmp(target->at, schemes[i], bytes) != 0)
            continue;
        struct head_span authority = {target->at + bytes, 0};
        while (authority.bytes < target->bytes - bytes &&
               strchr("/?", authority.at[authority.bytes]) == NULL)
            authority.bytes++;
        /* here a host must be named; a port alone names none (RFC 9110, 4.2.1) */
        if (authority.bytes == 0 || authority.at[0] == ':' || !is_authority(authority))
            return refuse_head(parse, 400, "bad host in the request target");
        parse->head->authority = authority;
        target->at += bytes + authority.bytes;
        target->bytes -= bytes + authority.bytes;
        return true;
    }
    return refuse_head(parse, 400, "the request target must be a path");
}

static bool parse_target(struct parse *parse, struct head_span target)
{
    for (size_t i = 0; i < target.bytes; i++) {
        unsigned char c = (unsigned char)target.at[i];
        if (c <= ' ' || c == 0x7f || c == '#')
            return refuse_head(parse, 400, "bad character in the request target");
    }
    bool asterisk = same_case(target, "*") && same_case(parse->head->method, "OPTIONS");
    if (!asterisk && (target.bytes == 0 || target.at[0] != '/') &&
        !parse_absolute_form(parse, &target))
        return false;
    const char *question = memchr(target.at, '?', target.bytes);
    parse->head->target = target;
    parse->head->path = (struct head_span){
        target.at, question != NULL ? (size_t)(question - target.at) : target.bytes};
    return true;
}

static bool parse_version(struct parse *parse, struct head_span version)
{
    static const char major[] = "HTTP/1.";
    if (version.bytes != sizeof(major) || memcmp(version.at, major, sizeof(major) - 1) != 0)
        return refuse_head(parse, 400, "bad HTTP version");
    char minor = version.at[sizeof(major) - 1];
    if (minor < '0' || minor > '9')
        return refuse_head(parse, 400, "bad HTTP version");
    parse->head->http_1_0 = minor == '0';
    return true;
}

static bool parse_request_line(struct parse *parse, struct head_span line)
{
    struct head_span method, target;
    if (!cut(&line, ' ', &method) || !cut(&line, ' ', &target))
        return refuse_head(parse, 400, "bad request line");
    return parse_method(parse, method) && parse_target(parse, target) && parse_version(parse, line);
}

static bool parse_length(struct parse *parse, struct head_span value)
{
    if (parse->length_seen)
        return refuse_head(parse, 400, "Content-Length given twice");
    parse->length_seen = true;
    if (value.bytes == 0)
        return refuse_head(parse, 400, "bad Content-Length");
    uint64_t length = 0;
    for (size_t i = 0; i < value.bytes; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return refuse_head(parse, 400, "bad Content-Length");
        if (i >= LENGTH_DIGITS_MAX)
            return refuse_head(parse, 413, "the body is over the server's limit");
        length = length * 10 + (uint64_t)(value.at[i] - '0');
    }
    parse->head->content_length = length;
    return true;
}

static bool parse_encoding(struct parse *parse, struct head_span value)
{
    if (parse->encoding_seen)
        return refuse_head(parse, 400, "Transfer-Encoding given twice");
    parse->encoding_seen = true;
    if (!same(value, "chunked") || parse->head->http_1_0)
        return refuse_head(parse, 400, "the only Transfer-Encoding taken is chunked, in HTTP/1.1");
    parse->head->chunked = true;
    return true;
}

static bool parse_expect(struct parse *parse, struct head_span value)
{
    if (parse->expect_seen || !same(value, "100-continue"))
        return refuse_head(parse, 417, "the only Expect taken is 100-continue, once");
    parse->expect_seen = true;
    parse->head->expects_continue = !parse->head->http_1_0;
    return true;
}

static void parse_connection(struct parse *parse, struct head_span value)
{
    struct head_span option;
    bool more;
    do {
        more = cut(&value, ',', &option);
        option = trim(more ? option : value);
        parse->head->says_close |= same(option, "close");
        parse->head->says_keep_alive |= same(option, "keep-alive");
    } while (more);
}

static bool parse_host(struct parse *parse, struct head_span value)
{
    if (parse->host_seen)
        return refuse_head(parse, 400, "Host given twice");
    parse->host_seen = true;
    if (!is_authority(value))
        return refuse_head(parse, 400, "bad character in Host");
    if (parse->head->authority.at == NULL)
        parse->head->authority = value;
    return true;
}

/* Two of them would be two users, and a proxy may have looked at the other one. */
static bool parse_authorization(struct parse *parse, struct head_span value)
{
    if (parse->head->authorization.at != NULL)
        return refuse_head(parse, 400, "Authorization given twice");
    parse->head->authorization = value;
    return true;
}

/* Headers that say where the request ends. Some parsers, such as libevent without Debian's patches,
 * take a tab before their values for a part of them. */
static bool frames(struct head_span name)
{
    return same(name, "Content-Length") || same(name, "Transfer-Encoding") ||
           same(name, "Expect") || same(name, "Connection");
}

/* Cuts a header line in two. NULL if it is well-formed, otherwise what is wrong. */
static const char *split_line(struct head_span line, struct head_span *name,
                              struct head_span *value)
{
    if (!cut(&line, ':', name) || !is_token(*name))
        return "bad header line";
    *value = trim(line);
    if (frames(*name) && memchr(line.at, '\t', (size_t)(value->at - line.at)) != NULL)
        return "tab before the value of a header";
    for (size_t i = 0; i < value->bytes; i++) {
        unsigned char c = (unsigned char)value->at[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return "control character in a header";
    }
    return NULL;
}

static bool keep_line(struct parse *parse, struct head_span name, struct head_span value)
{
    struct head *head = parse->head;
    const char *const *wanted = parse->forwarded;
    while (*wanted != NULL && !same(name, *wanted))
        wanted++;
    if (*wanted == NULL)
        return true;
    if (head->forwarded_count == HEAD_FORWARDED_MAX)
        return refuse_head(parse, 400, "a header is repeated too often");
    head->forwarded[head->forwarded_count].name = name;
    head->forwarded[head->forwarded_count++].value = value;
    return true;
}

static bool parse_line(struct parse *parse, struct head_span line)
{
    struct head_span name, value;
    const char *wrong = split_line(line, &name, &value);
    if (wrong != NULL)
        return refuse_head(parse, 400, wrong);
    if (same(name, "Content-Length"))
        return parse_length(parse, value);
    if (same(name, "Transfer-Encoding"))
        return parse_encoding(parse, value);
    if (same(name, "Expect"))
        return parse_expect(parse, value);
    if (same(name, "Host"))
        return parse_host(parse, value);
    if (same(name, "Authorization"))
        return parse_authorization(parse, value);
    if (same(name, "Connection"))
        parse_connection(parse, value);
    return keep_line(parse, name, value);
}

bool head_method_is(const struct head *head, const char *method)
{
    return same_case(head->method, method);
}

bool head_trailer_valid(const char *line, size_t length)
{
    struct head_span name, value;
    return split_line((struct head_span){line, length}, &name, &value) == NULL && !frames(name) &&
           !same(name, "Host");
}

static bool check_whole(struct parse *parse)
{
    struct head *head = parse->head;
    if (!parse->host_seen && !head->http_1_0)
        return refuse_head(parse, 400, "no Host header");
    if (parse->length_seen && parse->encoding_seen)
        return refuse_head(parse, 400, "both Content-Length and Transfer-Encoding");
    if (!head->body_allowed && head->content_length > 0)
        return refuse_head(parse, 400, HEAD_NO_BODY);
    return true;
}

/* Cuts one line ending in CR LF off `rest`. A CR or LF elsewhere stays in it and is refused. */
static struct head_span next_line(struct head_span *rest)
{
    const char *end = memmem(rest->at, rest->bytes, "\r\n", 2);
    struct head_span line = {rest->at, (size_t)(end - rest->at)};
    rest->at = end + 2;
    rest->bytes -= line.bytes + 2;
    return line;
}

bool head_parse(const char *bytes, size_t length, const char *const forwarded[], struct head *head)
{
    memset(head, 0, offsetof(struct head, forwarded));
    head->refused = 0;
    head->why = NULL;
    struct parse parse = {.head = head, .forwarded = forwarded};
    struct head_span rest = {bytes, length};
    if (!parse_request_line(&parse, next_line(&rest)))
        return false;
    unsigned lines = 0;
    struct head_span line;
    while ((line = next_line(&rest)).bytes > 0) {
        if (++lines > HEAD_LINES_MAX)
            return refuse_head(&parse, 400, "too many headers");
        if (!parse_line(&parse, line))
            return false;
    }
    return check_whole(&parse);
}

static char *put_span(char *at, struct head_span span)
{
    memcpy(at, span.at, span.bytes);
    return at + span.bytes;
}

static char *put_text(char *at, const char *text)
{
    return put_span(at, (struct head_span){text, strlen(text)});
}

static char *put_header(char *at, struct head_span name, struct head_span value)
{
    return put_text(put_span(put_text(put_span(at, name), ": "), value), "\r\n");
}

size_t head_write(const struct head *head, char out[HEAD_WRITTEN_BYTES_MAX])
{
    static const struct head_span host = {"Host", 4};
    char *at = put_text(put_span(out, head->method), " ");
    if (head->target.bytes == 0 && same_case(head->method, "OPTIONS"))
        at = put_text(at, "*"); /* "OPTIONS http://host" asks for the same (RFC 9112, 3.2.4) */
    else if (head->target.bytes == 0 || head->target.at[0] == '?') /* "http://host?query" */
        at = put_text(at, "/");
    at = put_text(put_span(at, head->target), " HTTP/1.1\r\n");
    if (head->authority.bytes > 0)
        at = put_header(at, host, head->authority);
    for (unsigned i = 0; i < head->forwarded_count; i++)
        at = put_header(at, head->forwarded[i].name, head->forwarded[i].value);
    return (size_t)(at - out);
}
