#include "net/head.h"

#include <string.h>
#include <strings.h>

/* 19 digits always fit into 64 bits; no body comes near. */
#define LENGTH_DIGITS_MAX 18

struct span {
    const char *at;
    size_t bytes;
};

struct parse {
    struct head *head;
    bool body_allowed, http_1_0;
    bool length_seen, encoding_seen, host_seen, expect_seen;
};

static bool refuse(struct parse *parse, int status, const char *why)
{
    parse->head->refused = status;
    parse->head->why = why;
    return false;
}

static bool same(struct span span, const char *text)
{
    return span.bytes == strlen(text) && strncasecmp(span.at, text, span.bytes) == 0;
}

static bool same_case(struct span span, const char *text)
{
    return span.bytes == strlen(text) && memcmp(span.at, text, span.bytes) == 0;
}

static bool any_of(struct span span, const char *const texts[])
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

static bool is_token(struct span span)
{
    for (size_t i = 0; i < span.bytes; i++)
        if (!is_token_char((unsigned char)span.at[i]))
            return false;
    return span.bytes > 0;
}

static struct span trim(struct span span)
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
static bool cut(struct span *line, char delimiter, struct span *before)
{
    const char *at = memchr(line->at, delimiter, line->bytes);
    if (at == NULL)
        return false;
    *before = (struct span){line->at, (size_t)(at - line->at)};
    line->bytes -= before->bytes + 1;
    line->at = at + 1;
    return true;
}

static bool parse_method(struct parse *parse, struct span method)
{
    static const char *const with_body[] = {"POST", "PUT", "PATCH", "DELETE", NULL};
    static const char *const without_body[] = {"GET", "HEAD", "OPTIONS", NULL};
    if (!is_token(method))
        return refuse(parse, 400, "bad request line");
    parse->body_allowed = any_of(method, with_body);
    /* evhttp knows TRACE and CONNECT too, and does odd things with them */
    if (!parse->body_allowed && !any_of(method, without_body))
        return refuse(parse, 405, "method not known");
    return true;
}

static bool parse_target(struct parse *parse, struct span target)
{
    if (target.bytes == 0 || target.at[0] != '/' || (target.bytes > 1 && target.at[1] == '/'))
        return refuse(parse, 400, "the request target must be a path");
    for (size_t i = 0; i < target.bytes; i++) {
        unsigned char c = (unsigned char)target.at[i];
        if (c <= ' ' || c == 0x7f || c == '#')
            return refuse(parse, 400, "bad character in the request target");
    }
    const char *question = memchr(target.at, '?', target.bytes);
    parse->head->path = target.at;
    parse->head->path_bytes = question != NULL ? (size_t)(question - target.at) : target.bytes;
    return true;
}

static bool parse_version(struct parse *parse, struct span version)
{
    static const char major[] = "HTTP/1.";
    if (version.bytes != sizeof(major) || memcmp(version.at, major, sizeof(major) - 1) != 0)
        return refuse(parse, 400, "bad HTTP version");
    char minor = version.at[sizeof(major) - 1];
    if (minor < '0' || minor > '9')
        return refuse(parse, 400, "bad HTTP version");
    parse->http_1_0 = minor == '0';
    return true;
}

static bool parse_request_line(struct parse *parse, struct span line)
{
    struct span method, target;
    if (!cut(&line, ' ', &method) || !cut(&line, ' ', &target))
        return refuse(parse, 400, "bad request line");
    return parse_method(parse, method) && parse_target(parse, target) && parse_version(parse, line);
}

static bool parse_length(struct parse *parse, struct span value)
{
    if (parse->length_seen)
        return refuse(parse, 400, "Content-Length given twice");
    parse->length_seen = true;
    if (value.bytes == 0)
        return refuse(parse, 400, "bad Content-Length");
    uint64_t length = 0;
    for (size_t i = 0; i < value.bytes; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return refuse(parse, 400, "bad Content-Length");
        if (i >= LENGTH_DIGITS_MAX)
            return refuse(parse, 413, "the body is over the server's limit");
        length = length * 10 + (uint64_t)(value.at[i] - '0');
    }
    parse->head->content_length = length;
    return true;
}

static bool parse_encoding(struct parse *parse, struct span value)
{
    if (parse->encoding_seen)
        return refuse(parse, 400, "Transfer-Encoding given twice");
    parse->encoding_seen = true;
    if (!same(value, "chunked") || parse->http_1_0)
        return refuse(parse, 400, "the only Transfer-Encoding taken is chunked, in HTTP/1.1");
    parse->head->chunked = true;
    return true;
}

static bool parse_expect(struct parse *parse, struct span value)
{
    if (parse->expect_seen || !same(value, "100-continue"))
        return refuse(parse, 417, "the only Expect taken is 100-continue, once");
    parse->expect_seen = true;
    parse->head->expects_continue = !parse->http_1_0;
    return true;
}

static void parse_connection(struct parse *parse, struct span value)
{
    struct span option;
    while (cut(&value, ',', &option))
        parse->head->wants_close |= same(trim(option), "close");
    parse->head->wants_close |= same(trim(value), "close");
}

/* RFC 9110: a name, an address or nothing, and maybe a port. Who reads more into it, such as a path
 * or a user, sees another host than we do. */
static bool parse_host(struct parse *parse, struct span value)
{
    if (parse->host_seen)
        return refuse(parse, 400, "Host given twice");
    parse->host_seen = true;
    for (size_t i = 0; i < value.bytes; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if (c > 0x7f || strchr(" \t\"#/<>?@\\^`{|}", c) != NULL)
            return refuse(parse, 400, "bad character in Host");
    }
    return true;
}

/* Headers that say where the request ends. libevent without Debian's patches takes a tab before
 * their values for a part of them. */
static bool frames(struct span name)
{
    return same(name, "Content-Length") || same(name, "Transfer-Encoding") ||
           same(name, "Expect") || same(name, "Connection");
}

static bool parse_header(struct parse *parse, struct span line)
{
    struct span name;
    if (!cut(&line, ':', &name) || !is_token(name))
        return refuse(parse, 400, "bad header line");
    struct span value = trim(line);
    if (frames(name) && memchr(line.at, '\t', (size_t)(value.at - line.at)) != NULL)
        return refuse(parse, 400, "tab before the value of a header");
    for (size_t i = 0; i < value.bytes; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return refuse(parse, 400, "control character in a header");
    }
    if (same(name, "Content-Length"))
        return parse_length(parse, value);
    if (same(name, "Transfer-Encoding"))
        return parse_encoding(parse, value);
    if (same(name, "Expect"))
        return parse_expect(parse, value);
    if (same(name, "Connection"))
        parse_connection(parse, value);
    if (same(name, "Host"))
        return parse_host(parse, value);
    return true;
}

static bool check_whole(struct parse *parse)
{
    if (!parse->host_seen && !parse->http_1_0)
        return refuse(parse, 400, "no Host header");
    if (parse->length_seen && parse->encoding_seen)
        return refuse(parse, 400, "both Content-Length and Transfer-Encoding");
    if (!parse->body_allowed && (parse->head->content_length > 0 || parse->head->chunked))
        return refuse(parse, 400, "this method takes no body");
    return true;
}

/* Cuts one line ending in CR LF off `rest`. A CR or LF elsewhere stays in it and is refused. */
static struct span next_line(struct span *rest)
{
    const char *end = memmem(rest->at, rest->bytes, "\r\n", 2);
    struct span line = {rest->at, (size_t)(end - rest->at)};
    rest->at = end + 2;
    rest->bytes -= line.bytes + 2;
    return line;
}

bool head_parse(const char *bytes, size_t length, unsigned headers_max, struct head *head)
{
    *head = (struct head){0};
    struct parse parse = {.head = head};
    struct span rest = {bytes, length};
    if (!parse_request_line(&parse, next_line(&rest)))
        return false;
    unsigned headers = 0;
    struct span line;
    while ((line = next_line(&rest)).bytes > 0) {
        if (++headers > headers_max)
            return refuse(&parse, 400, "too many headers");
        if (!parse_header(&parse, line))
            return false;
    }
    return check_whole(&parse);
}
