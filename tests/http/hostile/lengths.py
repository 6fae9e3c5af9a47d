"""How long the body is: Content-Length, Transfer-Encoding, and both of them."""
import struct

from hostile.row import GET_LINE, READ, STORED, VALUE, appended, get, headed, post, refused, served

LENGTH = b"Content-Length: 5"
CHUNKED = b"Transfer-Encoding: chunked"
ZERO = b"0\r\n\r\n"
FIVE = b"5\r\nR0000\r\n0\r\n\r\n"
HEAD_LINE = GET_LINE.replace(b"GET", b"HEAD", 1)
OPTIONS_LINE = GET_LINE.replace(b"GET", b"OPTIONS", 1)


# Of two values, the first of them VALUE, in an empty file.
OFFSETS = (200, struct.pack("<2Q", 0, 21))


def bad_length(value, why, status=400):
    return refused("length %r" % value, status, post(b"Content-Length: " + value), why)


def bad_encoding(value, why):
    """With chunks, and with a length for parsers that ignore the encoding."""
    name = "encoding %r" % value
    return [refused(name, 400, post(b"Transfer-Encoding: " + value, body=FIVE), why),
            refused(name + " and a length", 400,
                    post(b"Transfer-Encoding: " + value, LENGTH), why)]


def listed(body, length=None):
    """An appendMulti."""
    line = b"POST /appendMulti?id=R0000&storagePrefix=R0000 HTTP/1.1"
    return get(b"Content-Length: %d" % (len(body) if length is None else length),
               line=line) + body


def each(errors, body):
    """A getMulti."""
    line = b"POST /getMulti?id=R0000&storagePrefix=R0000&%s HTTP/1.1" % errors
    return get(b"Content-Length: %d" % len(body), line=line) + body


ROWS = [
    refused("two lengths", 400, post(LENGTH, b"Content-Length: 6"), "one party takes the last"),
    refused("two lengths, the longer first", 400, post(b"Content-Length: 60", LENGTH),
            "one party takes the first"),
    refused("one length twice", 400, post(LENGTH, LENGTH), "no client sends it"),
    refused("zero and a length", 400, post(b"Content-Length: 0", LENGTH),
            "the body is the next request to one party"),
    refused("lengths in two cases", 400, post(LENGTH, b"CONTENT-LENGTH: 6"),
            "names do not depend on case"),
    refused("space before the colon", 400, post(b"Content-Length : 5"),
            "some take it for another header"),
    refused("tab before the colon", 400, post(b"Content-Length\t: 5"), "as a space"),
    refused("tab after the colon", 400, post(b"Content-Length:\t5"),
            "a part of the value to some releases of libevent"),
    refused("space before the name", 400, post(b"X: y", b" Content-Length: 5"),
            "a folded line to some, a length to others"),
    refused("vertical tab before a length", 400, post(b"Content-Length:\x0b5"),
            "white space to isspace(), not to HTTP"),
    refused("form feed after a length", 400, post(b"Content-Length: 5\x0c"), "the same"),
    refused("NUL hiding a length", 400, post(b"Content-Length: 5\0 6"), "the end to strtol()"),
    refused("NUL in the name", 400, post(b"Content-Length\0: 5"), "the end to strcmp()"),
    refused("folded length", 400, post(b"Content-Length:\r\n 5"),
            "no length to parsers that do not unfold"),
    bad_length(b"+5", "strtol() takes a sign"),
    bad_length(b"-5", "strtol() takes a sign"),
    bad_length(b"-0", "not a digit"),
    bad_length(b"0x5", "base 16 to strtol() with base 0"),
    bad_length(b"5x", "strtol() stops there"),
    bad_length(b"5 5", "two numbers"),
    bad_length(b"5, 5", "a list; may be one number twice"),
    bad_length(b"5,", "a list with an empty end"),
    bad_length(b"5, 6", "a list of two that differ"),
    bad_length(b"5;", "no parameters here"),
    bad_length(b"5.0", "not a whole number"),
    bad_length(b"5e0", "not a whole number"),
    bad_length(b'"5"', "not a quoted string"),
    bad_length(b"\xd9\xa5", "a digit, but an Arabic one"),
    bad_length(b"", "empty"),
    bad_length(b"   ", "empty"),
    bad_length(b"18446744073709551621", "2^64 + 5 wraps to 5", status=413),
    bad_length(b"18446744073709551615", "2^64 - 1 is -1", status=413),
    bad_length(b"9223372036854775813", "2^63 + 5 is negative", status=413),
    bad_length(b"9223372036854775807", "2^63 - 1, anything added overflows", status=413),
    bad_length(b"4294967301", "2^32 + 5 wraps to 5 in 32 bits", status=413),
    bad_length(b"2147483653", "2^31 + 5 is negative in 32 bits", status=413),
    bad_length(b"9" * 1000, "no integer holds it", status=413),
    bad_length(b"0" * 40 + b"5", "5, in an unusual form", status=(400, 413)),
    appended("length with leading zeros", post(b"Content-Length: 0005"), "decimal, not octal"),
    appended("length 010", post(b"Content-Length: 010", body=b"R0000 long"), "ten, not eight",
             b"R0000 long"),
    appended("length after spaces", post(b"Content-Length:    5"), "HTTP allows them"),
    appended("length before spaces", post(b"Content-Length: 5   "), "HTTP allows them"),
    appended("length without a space", post(b"Content-Length:5"), "HTTP wants none"),
    appended("length in capitals", post(b"CONTENT-LENGTH: 5"), "names do not depend on case"),
    appended("name with an underscore", post(LENGTH, b"Content_Length: 6"), "another header"),

    refused("length and chunks", 400, post(LENGTH, CHUNKED, body=ZERO), "CL.TE"),
    refused("chunks and length", 400, post(CHUNKED, LENGTH, body=ZERO), "TE.CL"),
    refused("chunks and length 0", 400, post(CHUNKED, b"Content-Length: 0", body=FIVE), "TE.0"),
    refused("chunks and a bad length", 400, post(CHUNKED, b"Content-Length: x", body=FIVE),
            "two framings, even if one is bad"),
    refused("chunked twice", 400, post(CHUNKED, CHUNKED, body=ZERO), "encoded twice, or once?"),
    refused("chunked, then identity", 400, post(CHUNKED, b"Transfer-Encoding: identity",
                                                body=FIVE), "TE.TE: the last one counts to some"),
    refused("identity, then chunked", 400, post(b"Transfer-Encoding: identity", CHUNKED,
                                                body=FIVE), "TE.TE: the first one counts to some"),
    refused("space before the colon of chunked", 400, post(b"Transfer-Encoding : chunked", LENGTH),
            "TE.CL to parsers that trim names"),
    refused("folded chunked", 400, post(b"Transfer-Encoding:\r\n chunked", LENGTH),
            "TE.CL to parsers that unfold"),
    refused("chunked behind a folded header", 400, post(b"X: y\r\n Transfer-Encoding: chunked",
                                                        LENGTH), "part of X if unfolded"),
    refused("chunked behind a line feed", 400, post(b"X: y\nTransfer-Encoding: chunked", LENGTH),
            "a line of its own to parsers that accept a bare line feed"),
    refused("chunked behind a carriage return", 400,
            post(b"X: y\rTransfer-Encoding: chunked", LENGTH), "the same"),
    refused("chunked in HTTP/1.0", 400, post(CHUNKED, body=FIVE, version=b"HTTP/1.0"),
            "1.0 knows no chunks"),
    *bad_encoding(b"identity", "was removed from HTTP"),
    *bad_encoding(b"xchunked", "not chunked if the whole value is compared"),
    *bad_encoding(b"chunkedx", "not chunked if the whole value is compared"),
    *bad_encoding(b"chunked, identity", "chunked must be the last"),
    *bad_encoding(b"gzip, chunked", "the value would have to be unpacked"),
    *bad_encoding(b"chunked;q=1", "no parameters here"),
    *bad_encoding(b"chunked,", "an empty element"),
    *bad_encoding(b'"chunked"', "not a quoted string"),
    *bad_encoding(b"\tchunked", "a part of the value to some releases of libevent"),
    *bad_encoding(b"\x0bchunked", "white space to isspace()"),
    *bad_encoding(b"\0chunked", "the end to strcmp()"),
    *bad_encoding(b"", "neither chunked nor not"),
    appended("encoding in capitals", post(b"TRANSFER-ENCODING: CHUNKED", body=FIVE),
             "names of encodings do not depend on case"),
    appended("encoding before spaces", post(b"Transfer-Encoding: chunked  ", body=FIVE),
             "HTTP allows them"),
    appended("a header that only resembles one", post(LENGTH, b"Transfer_Encoding: chunked"),
             "another header"),
    appended("TE", post(LENGTH, b"TE: trailers, chunked"), "about the reply, not the request"),

    refused("body on GET", 400, get(LENGTH) + b"R0000", "some skip it, some do not"),
    refused("chunked body on GET", 400, get(CHUNKED) + FIVE, "some skip it, some do not"),
    refused("chunked body of GET, its first size", 400, get(CHUNKED) + b"1\r\n",
            "refused without waiting for the chunk"),
    refused("chunked body on GET that is a request", 400,
            get(CHUNKED) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(get()), get()),
            "a request to parsers that see no body"),
    refused("chunks and length 0 on GET", 400, get(CHUNKED, b"Content-Length: 0") + ZERO,
            "as on POST"),
    refused("chunks of HTTP/1.0 on GET", 400,
            get(CHUNKED, line=GET_LINE.replace(b"1.1", b"1.0")) + ZERO, "as on POST"),
    refused("size -0 on GET", 400, get(CHUNKED) + b"-0\r\n\r\n", "as on POST"),
    refused("body on HEAD", 400, get(LENGTH, line=HEAD_LINE) + b"R0000", "as on GET"),
    refused("chunked body on HEAD", 400, get(CHUNKED, line=HEAD_LINE) + FIVE, "as on GET"),
    refused("body on OPTIONS", 400, get(LENGTH, line=OPTIONS_LINE) + b"R0000", "as on GET"),
    refused("chunked body on OPTIONS", 400, get(CHUNKED, line=OPTIONS_LINE) + FIVE, "as on GET"),
    refused("body on OPTIONS *", 400, get(LENGTH, line=b"OPTIONS * HTTP/1.1") + b"R0000",
            "as on GET"),
    served("no chunk but the last on GET", get(CHUNKED) + ZERO,
           "so proxies forward a GET of HTTP/2 whose end comes in a frame of its own", READ),
    served("no chunk but the last on GET, and a request", get(CHUNKED) + ZERO + get(),
           "the next request begins behind it", READ, READ),
    served("no chunk but the last on GET, in two ways", get(CHUNKED) + b"0000\r\nX: y\r\n\r\n"
           + get(CHUNKED) + ZERO, "as on POST", READ, READ),
    headed("no chunk but the last on HEAD", get(CHUNKED, line=HEAD_LINE) + ZERO, "as on GET"),
    served("no chunk but the last on OPTIONS", get(CHUNKED, line=OPTIONS_LINE) + ZERO + get(),
           "as on GET", (204, b""), READ),
    served("no chunk but the last on close",
           get(CHUNKED, line=b"GET /close?storagePrefix=R0000 HTTP/1.1") + ZERO, "as on GET",
           (200, b'{"success":true}')),
    served("chunked body on DELETE", get(CHUNKED, line=b"DELETE /get HTTP/1.1") + FIVE + get(),
           "the body is read, then the next request", (405, None), READ),
    served("GET with length 0", get(b"Content-Length: 0"), "says what is so anyway", READ),
    served("body without a length", get(b"X: y") + get(), "no length is no body",
           (200, STORED), READ),
    served("list of values", listed(b"\5\0\0\0R0000\5\0\0\0R0000") + get(),
           "two values, then the next request", OFFSETS, READ, stored=(VALUE, VALUE)),
    served("value that is a request", listed(b"\5\0\0\0R0000" + b"%c\0\0\0" % len(get()) + get()),
           "what is in a value is no request", OFFSETS, stored=(VALUE, get())),
    served("value longer than the body", listed(b"\5\0\0\0R0000\6\0\0\0R0000") + get(),
           "a value does not go on in the next request", (400, None), READ),
    served("value of 4 GiB", listed(b"\5\0\0\0R0000\xff\xff\xff\xffR0000") + get(),
           "its end is past what a size can say", (413, None), READ),
    served("value of length 0", listed(b"\5\0\0\0R0000\0\0\0\0") + get(),
           "an error to who reads it back", (400, None), READ),
    served("length that is cut short", listed(b"\5\0\0\0R0000\5\0") + get(),
           "its rest is the next request to who reads on", (400, None), READ),
    served("list without values", listed(b"") + get(), "no length is no body", (400, None), READ),
    served("errors of each of half an offset", each(b"errors=each", b"1234") + get(),
           "its rest is the next request to who reads on", (400, None), READ),
    served("errors in a way that there is not", each(b"errors=all", bytes(8)) + get(),
           "the framing is another one to each party", (400, None), READ),
    served("errors of each in two ways", each(b"errors=each&errors=each", bytes(8)) + get(),
           "one party takes the last", (400, None), READ),
    refused("list with two lengths", 400, get(b"Content-Length: 9", b"Content-Length: 5",
                                              line=b"POST /appendMulti?id=R0000 HTTP/1.1")
            + b"\5\0\0\0R0000", "one party takes the last"),
    served("append without a length", post(body=b""), "no length is no body", (400, None)),
]
