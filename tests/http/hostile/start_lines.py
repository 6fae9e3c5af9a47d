"""The first line: method, target, version; and the query in it."""
from hostile.row import (GET_LINE, PAGE, READ, STORED, TARGET, chunked, get, headed, post, refused,
                         served)

LONG = 100000


def bad_line(line, why, status=400, name=None):
    return refused(name or "line %r" % line, status, get(line=line), why)


def bad_target(target, why):
    return bad_line(b"GET " + target + b" HTTP/1.1", why)


def absolute(authority, why):
    """Read and answered as the path alone is, and so is what follows."""
    return served("absolute target, %r" % authority,
                  get(line=b"GET " + authority + TARGET + b" HTTP/1.1", host=b"Host: "
                      + authority.partition(b"//")[2]) + get(), why, READ, READ)


def options(target, reply, why):
    return served("OPTIONS %r" % target, get(line=b"OPTIONS " + target + b" HTTP/1.1") + get(), why,
                  reply, READ)


def bad_version(version, why):
    return bad_line(b"GET " + TARGET + b" " + version, why, name="version %r" % version)


def bad_method(method, why, status=405):
    return bad_line(method + b" " + TARGET + b" HTTP/1.1", why, status, "method %r" % method)


def bad_query(query, why):
    """Well-formed HTTP, so the connection stays open."""
    return served("query %r" % query, get(line=b"GET /get?storagePrefix=S0000&" + query
                                          + b" HTTP/1.1"), why, (400, None))


def bad_scan(query, why):
    """The same."""
    return served("scan %r" % query, get(line=b"GET /scan?storagePrefix=S0000&" + query
                                         + b" HTTP/1.1") + get(), why, (400, None), READ)


def bad_expect(query, why):
    """The same; nothing is appended."""
    return [served("%s with %r" % (endpoint.decode(), query), get(
        b"Content-Length: %d" % len(body), line=b"POST /%s?id=R0000&storagePrefix=R0000&%s HTTP/1.1"
        % (endpoint, query)) + body + get(), why, (400, None), READ)
        for endpoint, body in ((b"append", b"R0000"), (b"appendMulti", b"\5\0\0\0R0000"))]


ROWS = [
    served("empty line first", b"\r\n" + get(), "some clients send one after a body", READ),
    served("empty line between two", get() + b"\r\n" + get(), "the same", READ, READ),
    served("empty line behind a body", post(b"Content-Length: 5") + b"\r\n" + get(), "the same",
           (200, None), READ, stored=(b"R0000",)),
    served("empty line behind chunks", chunked(b"5\r\nR0000\r\n0\r\n\r\n") + b"\r\n" + get(),
           "the same", (200, None), READ, stored=(b"R0000",)),
    served("empty line before each", (b"\r\n" + get()) * 3, "one for each", READ, READ, READ),
    refused("two empty lines first", 400, b"\r\n\r\n" + get(), "the end of a head"),
    refused("two empty lines between two", 400, get() + b"\r\n\r\n" + get(), "the same",
            replies=(READ,)),
    refused("carriage return first", 400, b"\r" + get(), "not an empty line"),
    refused("empty line, carriage return first", 400, b"\r\n\r" + get(), "only one is skipped"),
    refused("empty line, line feed first", 400, b"\r\n\n" + get(), "the end of the line to some"),
    refused("two carriage returns first", 400, b"\r\r\n" + get(), "no empty line"),
    refused("space in an empty line first", 400, b" \r\n" + get(), "not empty"),
    refused("line feed first", 400, b"\n" + get(), "some skip it, some do not"),
    refused("space first", 400, b" " + get(), "no method"),
    refused("byte order mark first", 400, b"\xef\xbb\xbf" + get(), "no method"),
    refused("NUL first", 400, b"\0" + get(), "no method"),
    bad_line(GET_LINE.replace(b" ", b"  ", 1), "some skip one"),
    bad_line(b"GET " + TARGET + b"  HTTP/1.1", "some skip one"),
    bad_line(GET_LINE.replace(b" ", b"\t"), "some take any white space"),
    bad_line(GET_LINE + b" ", "some trim it"),
    bad_line(GET_LINE + b"\t", "some trim it"),
    bad_line(GET_LINE + b" x", "four words"),
    bad_line(b"GET", "one word"),
    bad_line(b"GET ", "no target"),
    bad_line(b"GET HTTP/1.1", "no target"),
    bad_line(b"GET  HTTP/1.1", "an empty target"),
    bad_line(b"GET " + TARGET, "no version: HTTP/0.9, whose reply has no head"),
    bad_line(b"GET " + TARGET + b"\0 HTTP/1.1", "ends a C string"),
    bad_line(b"GET " + TARGET + b"\r HTTP/1.1", "the end of the line to some"),
    bad_line(b"/close", "no method: HTTP/0.9"),
    refused("HTTP/0.9", 400, b"GET " + TARGET + b"\n", "whose reply has no head"),
    bad_line(GET_LINE + b"\r\n", "an empty line, then headers", name="head ends at once"),

    bad_version(b"HTTP/1.10", "read as 1.1 or 1.10"),
    bad_version(b"HTTP/1.", "no minor version"),
    bad_version(b"HTTP/1", "no minor version"),
    bad_version(b"HTTP/01.1", "not of that form"),
    bad_version(b"HTTP/1.-1", "not a digit"),
    bad_version(b"HTTP/1,1", "not a point"),
    bad_version(b"HTTP/2.0", "another protocol"),
    bad_version(b"HTTP/0.9", "has no headers"),
    bad_version(b"HTTP/3.1", "there is none"),
    bad_version(b"http/1.1", "in capitals only"),
    bad_version(b"HTTPS/1.1", "another name"),
    bad_version(b"ICAP/1.0", "another protocol"),
    bad_version(b"HTTP/1.1\0", "valid as a C string"),
    served("version HTTP/1.9", get(line=b"GET " + TARGET + b" HTTP/1.9"),
           "a later minor version", READ),
    served("version HTTP/1.0", get(line=b"GET " + TARGET + b" HTTP/1.0"), "closes", READ,
           closes=True),

    headed("HEAD", get(line=b"HEAD " + TARGET + b" HTTP/1.1"), "a length, and no body to skip"),
    headed("HEAD in HTTP/1.0", get(line=b"HEAD " + TARGET + b" HTTP/1.0"),
           "a length all the same", closes=True),

    bad_method(b"get", "in capitals only"),
    bad_method(b"GETX", "unknown"),
    bad_method(b"FROBNICATE", "unknown"),
    bad_method(b"M" * 1000, "unknown"),
    bad_method(b"TRACE", "echoes what it was sent"),
    bad_method(b"CONNECT", "the target would be a host"),
    bad_method(b"PROPFIND", "unknown"),
    bad_method(b"G\xc3\x84T", "not a token", status=400),
    bad_method(b"G(T", "not a token", status=400),
    bad_method(b"G\0T", "not a token", status=400),
    bad_method(b"GET:", "a header", status=400),
    bad_line(b"CONNECT x:443 HTTP/1.1", "a proxy's request", status=405),
    served("DELETE with a body", post(b"Content-Length: 5").replace(b"POST", b"DELETE", 1) + get(),
           "the body is read, then the next request", (405, None), (200, STORED)),
    served("PUT", post(b"Content-Length: 5").replace(b"POST", b"PUT", 1), "wrong here", (405, None)),
    options(TARGET, (204, b""), "asks for the methods of the path"),
    options(b"*", (204, b""), "asks for the methods of the server"),
    options(b"http://x", (204, b""), "the form of * that a proxy gets"),
    options(b"http://x" + TARGET, (204, b""), "the form of a path that a proxy gets"),
    options(b"/", (204, b""), "asks for the methods of the page"),
    options(b"http://x/", (204, b""), "a path, and not *"),
    options(b"/none", (404, None), "an unknown path"),

    absolute(b"http://x", "servers must accept it, too (RFC 9112, 3.2.2)"),
    absolute(b"https://x", "a proxy may have ended the TLS connection"),
    absolute(b"HTTP://X", "a scheme does not depend on case"),
    absolute(b"hTTpS://x", "the same"),
    absolute(b"http://x:8001", "with a port"),
    absolute(b"http://x:", "with an empty port"),
    absolute(b"http://[::1]:8001", "with an address"),
    absolute(b"http://a-b_c.example~!$&'()*+,;=%41", "all that a name may have"),
    served("absolute target, another Host", get(line=b"GET http://y" + TARGET + b" HTTP/1.1"),
           "the target counts, and Host is ignored", READ),
    served("absolute target, empty Host", get(line=b"GET http://y" + TARGET + b" HTTP/1.1",
                                              host=b"Host:"), "the same", READ),
    served("absolute target without a Host in HTTP/1.0",
           get(line=b"GET http://y" + TARGET + b" HTTP/1.0", host=b"X: y"), "1.0 wants none", READ,
           closes=True),
    served("absolute target, append", post(b"Content-Length: 5").replace(b"/", b"http://x/", 1)
           + get(), "limited by its path, as any other", (200, None), READ, stored=(b"R0000",)),
    headed("absolute target, HEAD", get(line=b"HEAD http://x" + TARGET + b" HTTP/1.1"), "the same"),
    served("absolute target, no path", get(line=b"GET http://x HTTP/1.1"), "is /", PAGE),
    served("absolute target, a query alone", get(line=b"GET http://x?id=a HTTP/1.1"), "is /?id=a",
           PAGE),
    served("absolute target, a user in the query",
           get(line=b"GET http://x?user@y/get HTTP/1.1"), "the query has begun", PAGE),
    served("absolute target, two slashes", get(line=b"GET http://x/" + TARGET + b" HTTP/1.1"),
           "unknown", (404, None)),
    served("absolute target in a path", get(line=b"GET /http://x" + TARGET + b" HTTP/1.1"),
           "unknown", (404, None)),
    bad_target(b"http://user@x" + TARGET, "user information hides the host"),
    bad_target(b"http://user:secret@x" + TARGET, "user information"),
    bad_target(b"http://x@" + TARGET, "user information without a host"),
    bad_target(b"http://@x" + TARGET, "empty user information"),
    bad_target(b"http://x\\@y" + TARGET, "the host ends at the backslash to browsers"),
    bad_target(b"http://x\\" + TARGET, "the same"),
    bad_target(b"http://" + TARGET, "no host"),
    bad_target(b"http://?" + TARGET, "no host"),
    bad_target(b"http://", "no host"),
    bad_target(b"http://:80" + TARGET, "a port, but no host"),
    bad_target(b"http://x\0" + TARGET, "ends a C string"),
    bad_target(b"http://x\x7f" + TARGET, "a control character"),
    bad_target(b"http://x\t" + TARGET, "white space to some"),
    bad_target(b"http://x " + TARGET, "four words"),
    bad_target(b"http://\xc3\xa4" + TARGET, "not ASCII"),
    bad_target(b"http://<x>" + TARGET, "not in any name"),
    bad_target(b'http://"x"' + TARGET, "not in any name"),
    bad_target(b"http://{x}" + TARGET, "not in any name"),
    bad_target(b"http://x|y" + TARGET, "not in any name"),
    bad_target(b"http://x^" + TARGET, "not in any name"),
    bad_target(b"http://x`" + TARGET, "not in any name"),
    bad_target(b"http://x#" + TARGET, "a fragment"),
    bad_target(b"http:/x" + TARGET, "half a host"),
    bad_target(b"http:" + TARGET, "no host"),
    bad_target(b"http" + TARGET, "not a path"),
    bad_target(b"ftp://x" + TARGET, "another protocol"),
    bad_target(b"ws://x" + TARGET, "another protocol"),
    bad_target(b"file://" + TARGET, "another protocol"),
    bad_target(b"gopher://x" + TARGET, "another protocol"),
    bad_target(b"httpx://x" + TARGET, "no protocol"),
    bad_target(b"\xefhttp://x" + TARGET, "no protocol"),
    refused("absolute target without a Host", 400,
            get(line=b"GET http://x" + TARGET + b" HTTP/1.1", host=b"X: y"), "1.1 wants one"),
    refused("absolute target and a bad Host", 400,
            get(line=b"GET http://x" + TARGET + b" HTTP/1.1", host=b"Host: a b"),
            "bad all the same"),
    refused("absolute target and two hosts", 400,
            get(b"Host: x", line=b"GET http://x" + TARGET + b" HTTP/1.1"), "which one?"),
    served("target with two slashes", get(line=b"GET /" + TARGET + b" HTTP/1.1"), "unknown",
           (404, None)),
    served("target that could be a host", get(line=b"GET //x" + TARGET + b" HTTP/1.1"),
           "a path, and unknown", (404, None)),
    bad_target(b"//x:y" + TARGET, "a host to evhttp, and a bad port"),
    bad_target(b"//[x" + TARGET, "a host to evhttp, and a bad one"),
    bad_target(b"x:80", "for CONNECT"),
    bad_target(b"*", "for OPTIONS"),
    bad_target(TARGET[1:], "not a path"),
    bad_target(b"\\\\x" + TARGET, "a host to some"),
    bad_target(TARGET + b"#x", "fragments stay with the client"),
    bad_target(b"#" + TARGET, "the same"),
    bad_target(TARGET.replace(b"a", b"a b", 1), "four words"),
    bad_target(TARGET.replace(b"id=a", b"id=\x01"), "a control character"),
    bad_target(TARGET.replace(b"id=a", b"id=\x7f"), "a control character"),
    bad_target(TARGET.replace(b"id=a", b"id=\t"), "white space to some"),
    refused("OPTIONS *x", 400, get(line=b"OPTIONS *x HTTP/1.1"), "not a path"),
    refused("OPTIONS * and a query", 400, get(line=b"OPTIONS *?x HTTP/1.1"), "not a path"),
    refused("OPTIONS without a target", 400, get(line=b"OPTIONS  HTTP/1.1"), "not a path"),
    refused("HEAD *", 400, get(line=b"HEAD * HTTP/1.1"), "for OPTIONS"),
    refused("POST *", 400, post(b"Content-Length: 5").replace(
        b"/append?id=R0000&storagePrefix=R0000", b"*", 1), "for OPTIONS"),
    refused("long target", 400, get(line=b"GET /" + b"a" * LONG + b" HTTP/1.1"),
            "memory without bound"),
    refused("long method", 400, b"G" * LONG, "memory without bound"),
    refused("long version", 400, b"GET / HTTP/" + b"1" * LONG, "memory without bound"),
    served("long path", get(line=b"GET /" + b"a" * 10000 + b" HTTP/1.1"), "unknown", (404, None)),
    served("path with dots", get(line=b"GET /../../etc/passwd HTTP/1.1"), "unknown", (404, None)),
    served("path with a NUL", get(line=b"GET /get%00?id=a&offset=0 HTTP/1.1"), "unknown",
           (404, None)),
    served("path with a line", get(line=b"GET /%0d%0aX:%20y HTTP/1.1"),
           "must not become a header of the reply", (404, None)),
    served("8-bit path", get(line=b"GET /\xff\xfe HTTP/1.1"), "unknown", (404, None)),

    *bad_expect(b"expect=-1", "any end to who takes a sign"),
    *bad_expect(b"expect=", "0 to strtol()"),
    *bad_expect(b"expect=0x0", "0 to strtol() with base 16"),
    *bad_expect(b"expect=18446744073709551616", "0 in 64 bits"),
    *bad_expect(b"expect=1&expect=0", "one party takes the last"),
    *bad_expect(b"Expect=1", "an append that expects nothing to who does not know it"),
    bad_scan(b"bucket=0", "where it begins is not said"),
    bad_scan(b"offset=0", "of which bucket is not said"),
    bad_scan(b"bucket=0&id=a&offset=0", "two buckets"),
    bad_scan(b"bucket=0&bucket=0&offset=0", "one party takes the last"),
    bad_scan(b"bucket=65536&offset=0", "0 in 16 bits"),
    bad_scan(b"bucket=-1&offset=0", "the last bucket to who takes a sign"),
    bad_scan(b"bucket=4294967296&offset=0", "0 in 32 bits"),
    bad_scan(b"bucket=0&offset=18446744073709551616", "0 in 64 bits"),
    bad_scan(b"bucket=0&offset=9223372036854775808", "negative in 64 bits"),
    bad_scan(b"bucket=0&offset=0&limit=0", "a reply that can hold nothing"),
    bad_scan(b"bucket=0&offset=0&limit=67108865", "more than is promised to be enough"),
    bad_scan(b"bucket=0&offset=0&limit=-1", "no limit to who takes a sign"),
    bad_scan(b"bucket=0&offset=0&wait=61", "longer than proxies wait"),
    bad_scan(b"bucket=0&offset=0&wait=4294967297", "1 in 32 bits"),
    bad_scan(b"bucket=0&offset=0&wait=1e1", "not of digits; strtod() takes it"),
    bad_scan(b"bucket=0&offset=9&last=0", "half of it"),
    bad_scan(b"bucket=0&offset=9&last=0:" + b"0" * 31, "half a byte"),
    bad_scan(b"bucket=0&offset=9&last=0:" + b"0" * 33, "half a byte more"),
    bad_scan(b"bucket=0&offset=9&last=0:" + b"0" * 31 + b"g", "no hex digit"),
    bad_scan(b"bucket=0&offset=9&last=-1:" + b"0" * 32, "before the file"),
    bad_scan(b"bucket=0&offset=9&last=0:" + b"0" * 32 + b"%00", "ends a C string"),
    bad_scan(b"bucket=0&offset=0&synced=2", "neither yes nor no"),
    bad_scan(b"bucket=0&offset=0&Wait=60", "a known parameter in other case"),
    served("scan of another prefix in disguise", get(
        line=b"GET /scan?bucket=0&offset=0&storagePrefix=%2e%2e HTTP/1.1") + get(),
        "a directory outside of the root", (400, None), READ),
    served("scan behind the end of everything", get(
        line=b"GET /scan?bucket=0&offset=9223372036854775807&storagePrefix=S0000 HTTP/1.1") + get(),
        "any addition to it wraps", (416, None), READ),
    refused("scan that has a body", 400, get(
        b"Content-Length: 5", line=b"GET /scan?bucket=0&offset=0&storagePrefix=S0000 HTTP/1.1") +
        b"R0000", "the next request to who does not look for a body"),
    served("ends of nothing", get(line=b"GET /ends?storagePrefix=R0000 HTTP/1.1") + get(),
           "asking must not make a prefix", (404, None), READ),
    served("ends of a prefix outside", get(line=b"GET /ends?storagePrefix=../S0000 HTTP/1.1") +
           get(), "a directory outside of the root", (400, None), READ),
    served("prefixes after a line", get(line=b"GET /prefixes?after=%0d%0aX:%20y HTTP/1.1") + get(),
           "must not become a header of the reply", (400, None), READ),
    bad_query(b"id=a&offset=%u0030", "an escape of a browser"),
    bad_query(b"id=a&offset=%", "half an escape"),
    bad_query(b"id=a&offset=%3", "half an escape"),
    bad_query(b"id=a&offset=%%30", "half an escape, and one"),
    bad_query(b"id=a&offset=0%00", "ends a C string"),
    bad_query(b"id=a&offset=0&x=%-1", "not of digits"),
    bad_query(b"id=a&offset=0&x=%+1", "not of digits; strtol() takes it"),
    bad_query(b"id=a&offset=0&x=%0x", "not of digits; strtol() takes it"),
    bad_query(b"id=a&offset=0&%6f%66fset=1", "offset twice, once in disguise"),
    bad_query(b"id=a&offset=%EF%BC%90", "a digit, but a wide one"),
    bad_query(b"id=a;offset=0", "semicolons do not part"),
    bad_query(b"id=a&Offset=0", "a known parameter in other case"),
    bad_query(b"ID=a&offset=0", "the same"),
    bad_query(b"id=a&offset=0&storageprefix=x", "the same"),
    bad_query(b"id=a&offset=0&%53ync=1", "the same, in disguise"),
]
