"""Header lines: their ends, names, number; Host, Expect, Connection."""
from hostile.row import GET_LINE, READ, appended, get, post, refused, served

HEAD_BYTES_MAX = 16 * 1024
HEADERS_MAX = 64
LINE_1_0 = GET_LINE.replace(b"1.1", b"1.0")


def long_head(size):
    """A request whose head is so long."""
    return get(b"X: " + b"a" * (size - len(get(b"X: "))))


def with_host(value, why):
    return refused("host %r" % value, 400, get(host=b"Host: " + value), why)


def with_name(name, why):
    return refused("name %r" % name, 400, get(name + b": y"), why)


ROWS = [
    refused("bare line feed", 400, get(b"X: a\nContent-Length: 5"), "one line or two?"),
    refused("bare line feeds only", 400, get(b"X: a").replace(b"\r\n", b"\n"), "some take them"),
    refused("line feed for the empty line", 400, get()[:-2] + b"\n", "the end of the head to some"),
    refused("bare carriage return", 400, get(b"X: a\rY: b"), "one line or two?"),
    refused("bare carriage returns only", 400, get(b"X: a").replace(b"\r\n", b"\r"),
            "no line ever ends", decisive=False),
    refused("two carriage returns", 400, get(b"X: a\r"), "a part of the value, or of the end?"),
    refused("line feed, carriage return", 400, get().replace(b"\r\n", b"\n\r"), "the wrong order"),
    refused("folded header", 400, get(b"X: a\r\n b"), "no longer a part of HTTP"),
    refused("header folded with a tab", 400, get(b"X: a\r\n\tb"), "the same"),
    refused("header folded with nothing", 400, get(b"X: a\r\n "), "the end of the head to some"),
    refused("first header folded", 400, get(b"Y: b", host=b" X: a\r\nHost: x"),
            "a part of the request line to some"),
    refused("NUL in a value", 400, get(b"X: a\0b"), "ends a C string"),
    refused("backspace in a value", 400, get(b"X: a\x08b"), "hides what was in a log"),
    refused("escape in a value", 400, get(b"X: \x1b[2J"), "hides what was in a log"),
    refused("delete in a value", 400, get(b"X: a\x7fb"), "a control character"),
    refused("no colon", 400, get(b"X"), "not a header"),
    refused("no name", 400, get(b": a"), "not a header"),
    refused("only a colon", 400, get(b":"), "not a header"),
    refused("no name, folded to some", 400, get(b" : a"), "not a header"),
    with_name(b"X ", "some trim it, some do not"),
    with_name(b"X\t", "some trim it, some do not"),
    with_name(b" X", "a folded line to some"),
    with_name(b"X Y", "not a token"),
    with_name(b"X\0Y", "X as a C string"),
    with_name(b"X(Y", "not a token"),
    with_name(b"X/Y", "not a token"),
    with_name(b'"X"', "not a token"),
    with_name(b"X\xc3\xa4", "not ASCII"),
    with_name(b"X\x7f", "a control character"),
    with_name(b"{X}", "not a token"),
    refused("long header", 400, get(b"X: " + b"a" * 100000), "memory without bound"),
    refused("long name", 400, get(b"a" * 100000 + b": y"), "memory without bound"),
    refused("head a byte too long", 400, long_head(HEAD_BYTES_MAX + 1), "the limit is 16 KiB"),
    refused("many headers", 400, get(*[b"X: y"] * 2000), "time and memory without bound"),
    refused("a header too many", 400, get(*[b"X: y"] * HEADERS_MAX), "Host is one of the 64"),
    served("longest head", long_head(HEAD_BYTES_MAX), "the limit itself", READ),
    served("most headers", get(*[b"X: y"] * (HEADERS_MAX - 1)), "the limit itself", READ),
    served("empty value", get(b"X:", b"Y: ", b"Z: \t "), "HTTP allows it", READ),
    served("all that a name may have", get(b"!#$%&'*+-.^_`|~09AZaz: y"), "HTTP allows it", READ),
    served("8-bit value", get(b"X: \xc3\xa4\xff"), "HTTP allows it", READ),
    served("colons in a value", get(b"X: a: b:c"), "only the first one counts", READ),

    refused("no host", 400, get(host=b"X: y"), "HTTP/1.1 wants one"),
    refused("two hosts", 400, get(b"Host: x"), "which one?"),
    refused("two hosts that differ", 400, get(b"host: y"), "which one?"),
    refused("space after Host", 400, get(host=b"Host : x"), "no host to some"),
    with_host(b"a b", "two names"),
    with_host(b"a\tb", "two names"),
    with_host(b"a/b", "a path"),
    with_host(b"user@a", "may lead somewhere else than it seems"),
    with_host(b"a?b", "a query"),
    with_host(b"a#b", "a fragment"),
    with_host(b"a\\b", "a path to some"),
    with_host(b'"a"', "not in any name"),
    with_host(b"<a>", "not in any name"),
    with_host(b"\xff", "not in any name"),
    with_host(b"a\0b", "a as a C string"),
    served("empty host", get(host=b"Host:"), "HTTP allows it", READ),
    served("host with a port", get(host=b"Host: a-b.example:8000"), "a usual form", READ),
    served("host of IPv6", get(host=b"Host: [::1]:8000"), "a usual form", READ),
    served("host with odd characters", get(host=b"Host: a_b~%41!$&'()*+,;="), "a name may", READ),
    served("no host in HTTP/1.0", get(line=LINE_1_0, host=b"X: y"), "1.0 wants none", READ,
           closes=True),

    refused("unknown expectation", 417, post(b"Content-Length: 5", b"Expect: a-miracle"), "no"),
    refused("two expectations", 417, post(b"Content-Length: 5", b"Expect: 100-continue, a"),
            "only the first is known"),
    refused("one expectation twice", 417, post(b"Content-Length: 5", b"Expect: 100-continue",
                                               b"Expect: 100-continue"), "sent twice"),
    refused("empty expectation", 417, post(b"Content-Length: 5", b"Expect:"), "of nothing"),
    refused("expectation with a number", 417, post(b"Content-Length: 5", b"Expect: 100"), "no"),
    appended("expectation in capitals", post(b"Content-Length: 5", b"Expect: 100-CONTINUE"),
             "does not depend on case"),
    appended("expectation on chunks", post(b"Transfer-Encoding: chunked", b"Expect: 100-continue",
                                           body=b"5\r\nR0000\r\n0\r\n\r\n"), "the same as else"),
    served("expectation without a body", get(b"Expect: 100-continue"), "nothing to wait for", READ),

    served("close", get(b"Connection: close"), "the client asks for it", READ, closes=True),
    served("close among others", get(b"Connection: keep-alive, CLOSE"), "close wins", READ,
           closes=True),
    served("close in a second header", get(b"Connection: keep-alive", b"Connection: close"),
           "headers of one name are one list", READ, closes=True),
    served("closer", get(b"Connection: closer, not-close"), "other words", READ),
    served("keep-alive in HTTP/1.0", get(b"Connection: keep-alive", line=LINE_1_0) + get(),
           "the client asks for it", READ, READ),
    served("Keep-Alive among others in HTTP/1.0", get(b"Connection: x, Keep-Alive", line=LINE_1_0)
           + get(), "the client asks for it", READ, READ),
    served("keep-alive and close in HTTP/1.0", get(b"Connection: keep-alive, close", line=LINE_1_0),
           "close wins", READ, closes=True),
    served("Keep-Alive without Connection in HTTP/1.0",
           get(b"Keep-Alive: timeout=5", line=LINE_1_0), "the client does not ask for it", READ, closes=True),
    served("close in HTTP/1.0", get(b"Connection: close", line=LINE_1_0), "the client asks for it", READ,
           closes=True),
    served("HTTP/1.0 behind HTTP/1.1", get() + get(line=LINE_1_0), "each has its own version",
           READ, READ, closes=True),
    appended("append of HTTP/1.0 with keep-alive",
             post(b"Content-Length: 5", b"Connection: keep-alive", version=b"HTTP/1.0"),
             "the client asks for it"),
    appended("names of headers in Connection", post(b"Connection: Content-Length",
                                                    b"Content-Length: 5"),
             "a proxy would drop the length; here it counts"),
]
